import { DerError, type DerElement, DerTag, readDer, readPem } from "./der.ts";

/**
 * The serial numbers that certificate revocation lists name, as lower-case hex without leading
 * zeros. `bytes` hold one list in DER or any number in PEM (RFC 5280 section 5.1).
 *
 * As etcd does, a certificate counts as revoked when its serial number is listed; the list's own
 * signature and dates are not judged, for the operator put the file there, and a list that is past
 * its nextUpdate must not lock everybody out. Throws DerError.
 */
export function readRevokedSerials(bytes: Buffer): Set<string> {
  const lists =
    bytes[0] === DerTag.SEQUENCE ? [bytes] : readPem(bytes.toString("latin1"), "X509 CRL");
  if (lists.length === 0) throw new DerError("neither DER nor a PEM block X509 CRL");
  const serials = new Set<string>();
  for (const list of lists) addSerials(serials, list);
  return serials;
}

function addSerials(serials: Set<string>, list: Buffer): void {
  const certificateList = inside(readDer(list)[0], "CertificateList");
  const toBeSigned = inside(certificateList[0], "TBSCertList");
  // version?, signature, issuer, thisUpdate, nextUpdate?, revokedCertificates?, extensions?
  let position = toBeSigned[0]?.tag === DerTag.INTEGER ? 3 : 2;
  while (isTime(toBeSigned[position])) position += 1;
  const revoked = toBeSigned[position];
  if (revoked === undefined || revoked.tag !== DerTag.SEQUENCE) return;
  for (const entry of readDer(revoked.content)) {
    const serial = inside(entry, "revoked certificate")[0];
    if (serial?.tag !== DerTag.INTEGER) throw new DerError("serial number is no INTEGER");
    serials.add(serialKey(serial.content.toString("hex")));
  }
}

/** Serial numbers as they are compared, from any hex form. */
export function serialKey(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, "");
}

function isTime(element: DerElement | undefined): boolean {
  return element?.tag === DerTag.UTC_TIME || element?.tag === DerTag.GENERALIZED_TIME;
}

function inside(element: DerElement | undefined, what: string): DerElement[] {
  if (element?.tag !== DerTag.SEQUENCE) throw new DerError(`${what} is no SEQUENCE`);
  return readDer(element.content);
}
