/** What an HTTP/2 connection tells its owner, as lines of text, with data of one stream joined. */

interface AnyStream {
  readonly id: number;
}

interface AnyBlock {
  readonly fields: readonly { readonly name: string; readonly value: string }[];
}

/** Has the shape of http2/'s Http2Events for a connection of any context. */
export class Http2Recorder<S extends AnyStream> {
  lines: string[] = [];
  readonly streams = new Map<number, S>();
  outputCount = 0;
  closed: { code: number; reason: string } | undefined = undefined;
  /** Called after the line was noted. */
  onRequest: ((stream: S, endStream: boolean) => void) | undefined = undefined;
  onDrained: ((stream: S) => void) | undefined = undefined;
  #data = new Map<number, string>();

  onHeaders(stream: S, block: AnyBlock, endStream: boolean): void {
    this.streams.set(stream.id, stream);
    const fields = block.fields.map((field) => `${field.name}=${field.value}`).join(" ");
    this.#note(stream.id, `headers ${fields}${endStream ? " END" : ""}`);
    this.onRequest?.(stream, endStream);
  }

  onData(stream: S, chunk: Buffer, lo: number, hi: number, endStream: boolean): void {
    const text = (this.#data.get(stream.id) ?? "") + chunk.latin1Slice(lo, hi);
    this.#data.set(stream.id, text);
    if (!endStream) return;
    this.#flush(stream.id, " END");
    this.onRequest?.(stream, true);
  }

  onReset(stream: S, code: number): void {
    this.#note(stream.id, `reset ${code}`);
  }

  onDrain(stream: S): void {
    this.#note(stream.id, "drain");
    this.onDrained?.(stream);
  }

  onPing(): void {
    this.lines.push("ping");
  }

  onPingAck(value: number): void {
    this.lines.push(`ping ack ${value}`);
  }

  onGoaway(code: number, lastStreamId: number, debugText: string): void {
    this.lines.push(`goaway ${code} ${lastStreamId} ${debugText}`);
  }

  onSettings(): void {}

  onOutput(): void {
    this.outputCount += 1;
  }

  onClose(code: number, reason: string): void {
    for (const id of this.#data.keys()) this.#flush(id, "");
    this.closed = { code, reason };
    this.lines.push(`close ${code}`);
  }

  /** Data that came so far on a stream that has not ended. */
  pending(streamId: number): string {
    return this.#data.get(streamId) ?? "";
  }

  /** The lines since the last call. */
  take(): string[] {
    for (const id of this.#data.keys()) this.#flush(id, "");
    const taken = this.lines;
    this.lines = [];
    return taken;
  }

  #note(streamId: number, text: string): void {
    this.#flush(streamId, "");
    this.lines.push(`${streamId}: ${text}`);
  }

  #flush(streamId: number, ending: string): void {
    const text = this.#data.get(streamId);
    if (text === undefined) return;
    this.#data.delete(streamId);
    if (text !== "" || ending !== "") this.lines.push(`${streamId}: data ${text}${ending}`);
  }
}
