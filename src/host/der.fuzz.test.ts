import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../base/index.ts";
import {
  DerError,
  der,
  derOid,
  derPositive,
  derSequence,
  DerTag,
  derTime,
  readDer,
  writePem,
} from "./der.ts";
import { readRevokedSerials } from "./revocations.ts";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 2000);

/** A list as an authority would sign it, with `serials` revoked. */
function revocationList(serials: readonly Buffer[]): Buffer {
  const algorithm = derSequence(derOid("1.2.840.10045.4.3.2"));
  const now = derTime(new Date(1_700_000_000_000));
  const entries = serials.map((serial) => derSequence(derPositive(serial), now));
  const toBeSigned = derSequence(
    derPositive(Buffer.of(1)),
    algorithm,
    derSequence(),
    now,
    now,
    ...(entries.length === 0 ? [] : [derSequence(...entries)]),
    der(0xa0, derSequence()),
  );
  return derSequence(toBeSigned, algorithm, der(DerTag.BIT_STRING, Buffer.of(0)));
}

test("revocations: serials are found in DER and in PEM, none is made up", () => {
  const serials = [Buffer.of(1), Buffer.of(0xff, 0, 2), Buffer.alloc(20, 0x7a)];
  const wanted = ["1", "ff0002", "7a".repeat(20)];
  const list = revocationList(serials);
  assert.deepEqual([...readRevokedSerials(list)], wanted);
  const pem = writePem(list, "X509 CRL") + writePem(revocationList([Buffer.of(9)]), "X509 CRL");
  assert.deepEqual([...readRevokedSerials(Buffer.from(pem))], [...wanted, "9"]);
  assert.equal(readRevokedSerials(revocationList([])).size, 0);
  assert.throws(() => readRevokedSerials(Buffer.from("nothing")), DerError);
});

test("der fuzz: lists with bytes changed, cut or added → serials or a DerError", () => {
  const prng = new Prng(5);
  const list = revocationList(Array.from({ length: 20 }, () => Buffer.of(prng.below(256), 1)));
  for (let run = 0; run < RUNS; run += 1) {
    const bytes = Buffer.from(
      list.subarray(0, prng.chance(0.3) ? prng.below(list.length) : undefined),
    );
    for (let change = prng.below(4); change > 0 && bytes.length > 0; change -= 1) {
      bytes[prng.below(bytes.length)] = prng.below(256);
    }
    try {
      assert.ok(readRevokedSerials(bytes).size <= bytes.length);
      readDer(bytes);
    } catch (error) {
      assert.ok(error instanceof DerError, `${String(error)} on ${bytes.toString("hex")}`);
    }
  }
});
