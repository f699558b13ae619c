/** DER by hand (X.690), so that a test can also write what no library writes, and does not ask the parser under test. */

/** One element. */
export function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body]);
}

/** One element whose length stands in one byte more than it needs: BER, but not DER. */
export function looselyEncoded(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const length = lengthOf(body.length);
  const loose = length.length === 1 ? [0x81, ...length] : [0x80 + length.length, 0, ...length.slice(1)];
  return Buffer.concat([Buffer.from([tag, ...loose]), body]);
}

function lengthOf(bytes: number): number[] {
  if (bytes < 0x80) return [bytes];
  if (bytes < 0x100) return [0x81, bytes];
  if (bytes < 0x10000) return [0x82, bytes >> 8, bytes & 0xff];
  return [0x83, bytes >> 16, (bytes >> 8) & 0xff, bytes & 0xff];
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => der(0x30, ...content);
export const set = (...content: readonly Uint8Array[]): Buffer => der(0x31, ...content);
export const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));
export const ia5 = (text: string): Buffer => der(0x16, Buffer.from(text));

/** A positive INTEGER. */
export function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return der(0x02, (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]));
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...others].flatMap((arc) => {
    const groups = [arc & 0x7f];
    for (let rest = arc >>> 7; rest > 0; rest >>>= 7) groups.unshift((rest & 0x7f) | 0x80);
    return groups;
  });
  return der(0x06, Buffer.from(bytes));
}

/** A GeneralName of the kind otherName (RFC 5280 4.2.1.6). @param value an element, e.g. `utf8("…")` */
export function otherName(typeId: string, value: Uint8Array): Buffer {
  return der(0xa0, oid(typeId), der(0xa0, value));
}

/** A GeneralName of the kind dNSName. */
export const dnsName = (name: string): Buffer => der(0x82, Buffer.from(name));

/** A text armour around bytes (RFC 7468). */
export function pem(label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

/** An ECDSA signature by its two numbers (RFC 3279 2.2.3), which are P-256's. */
export function ecdsaNumbers(signature: Buffer): { readonly r: bigint; readonly s: bigint } {
  const rLength = signature[3] ?? 0;
  const r = signature.subarray(4, 4 + rLength);
  const s = signature.subarray(6 + rLength);
  return { r: BigInt(`0x${r.toString("hex")}`), s: BigInt(`0x${s.toString("hex")}`) };
}
