/**
 * Binary metadata: names that end in `-bin` carry base64, with or without padding (gRPC over
 * HTTP/2).
 */

export function decodeBinary(text: string): Buffer {
  return Buffer.from(text, "base64");
}

export function encodeBinary(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  return text.replace(/=+$/, "");
}
