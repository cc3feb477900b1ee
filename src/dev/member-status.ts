/** What a member says of itself, asked through its JSON gateway like by anybody else. */

export interface MemberStatus {
  /** Decimal, as JSON has it. */
  readonly id: string;
  /** "0" = none known. */
  readonly leader: string;
  readonly term: number;
  readonly revision: number;
  readonly applied: number;
  readonly isLearner: boolean;
}

const ANSWER_MS_MAX = 800;

/** Undefined when it does not answer in time. */
export async function askStatus(clientPort: number): Promise<MemberStatus | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${clientPort}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    if (!answer.ok) return undefined;
    const body = (await answer.json()) as Record<string, string | boolean> & {
      header?: Record<string, string>;
    };
    return {
      id: body.header?.["member_id"] ?? "0",
      leader: String(body["leader"] ?? "0"),
      term: Number(body["raftTerm"] ?? 0),
      revision: Number(body.header?.["revision"] ?? 0),
      applied: Number(body["raftAppliedIndex"] ?? 0),
      isLearner: body["isLearner"] === true,
    };
  } catch {
    return undefined;
  }
}
