/** Answers about the members of a cluster in every format. */
import type { ClusterMember, MemberListResponse, ResponseHeader } from "../../client/index.ts";
import {
  encodeMessage,
  MemberAddResponseSchema,
  MemberListResponseSchema,
} from "../../wire/index.ts";
import type { Printable } from "../context.ts";
import { headerFields, headerJson, hexHeaderJson } from "./header.ts";
import { type GoJson, goJson, omitEmpty } from "./json.ts";
import { quote } from "./quote.ts";
import { table } from "./table.ts";

export interface MemberStyle {
  /** Y of the etcdctl 3.Y whose columns are wanted. */
  readonly minor: number;
  readonly isHex: boolean;
}

export function printMembers(answer: MemberListResponse, style: MemberStyle): Printable {
  const rows = (): string[][] => answer.members.map((member) => memberRow(member, style.minor));
  return {
    simple: () =>
      rows()
        .map((row) => `${row.join(", ")}\n`)
        .join(""),
    json: () => membersJson(answer, undefined, style),
    fields: () => memberFields(answer, style),
    table: () => table(MEMBER_COLUMNS.slice(0, columnsOf(style.minor)), rows()),
    protobuf: () => encodeMessage(MemberListResponseSchema, wireList(answer)),
  };
}

/** Of add, remove, update and promote: a line, or the answer with all members. */
export function printMemberChange(
  answer: MemberListResponse & { readonly member?: ClusterMember },
  line: string,
  style: MemberStyle,
): Printable {
  const { member } = answer;
  return {
    simple: () => line,
    json: () => membersJson(answer, member, style),
    protobuf: () =>
      member === undefined
        ? encodeMessage(MemberListResponseSchema, wireList(answer))
        : encodeMessage(MemberAddResponseSchema, {
            ...wireList(answer),
            member: wireMember(member),
          }),
  };
}

const MEMBER_COLUMNS = ["ID", "Status", "Name", "Peer Addrs", "Client Addrs", "Is Learner"];

/** Learners came with 3.4. */
function columnsOf(minor: number): number {
  return minor >= 4 ? 6 : 5;
}

function memberRow(member: ClusterMember, minor: number): string[] {
  const row = [
    member.id.toString(16),
    member.name === "" ? "unstarted" : "started",
    member.name,
    member.peerUrls.join(","),
    member.clientUrls.join(","),
    String(member.isLearner),
  ];
  return row.slice(0, columnsOf(minor));
}

function membersJson(
  { header, members }: MemberListResponse,
  added: ClusterMember | undefined,
  style: MemberStyle,
): string {
  const isHex = isHexIn(style);
  const member = (one: ClusterMember): GoJson => memberJson(one, isHex);
  const fields = {
    header: isHex ? hexHeaderJson(header) : headerJson(header),
    member: added === undefined ? undefined : member(added),
    members: members.map(member),
  };
  return `${goJson(isHex ? fields : omitEmpty(fields))}\n`;
}

/** --hex means ids too since 3.6. */
function isHexIn({ minor, isHex }: MemberStyle): boolean {
  return isHex && minor >= 6;
}

function memberJson(member: ClusterMember, isHex: boolean): Record<string, GoJson> {
  const fields = omitEmpty({
    ID: member.id,
    name: member.name,
    peerURLs: member.peerUrls,
    clientURLs: member.clientUrls,
    isLearner: member.isLearner,
  });
  return isHex ? { ...fields, ID: member.id.toString(16) } : fields;
}

function memberFields({ header, members }: MemberListResponse, style: MemberStyle): string {
  const isHex = isHexIn(style);
  const blocks = members.map((member) => {
    return (
      `"ID" : ${isHex ? member.id.toString(16) : member.id}\n"Name" : ${quote(member.name)}\n` +
      member.peerUrls.map((url) => `"PeerURL" : ${quote(url)}\n`).join("") +
      member.clientUrls.map((url) => `"ClientURL" : ${quote(url)}\n`).join("") +
      (style.minor >= 4 ? `"IsLearner" : ${member.isLearner}\n` : "") +
      "\n"
    );
  });
  return headerFields(header, isHex, style.minor) + blocks.join("");
}

export function wireHeader(header: ResponseHeader) {
  return {
    clusterId: header.clusterId,
    memberId: header.memberId,
    revision: BigInt(header.revision),
    raftTerm: BigInt(header.raftTerm),
  };
}

function wireMember({ id, name, peerUrls, clientUrls, isLearner }: ClusterMember) {
  return { ID: id, name, peerURLs: [...peerUrls], clientURLs: [...clientUrls], isLearner };
}

function wireList({ header, members }: MemberListResponse) {
  return { header: wireHeader(header), members: members.map(wireMember) };
}
