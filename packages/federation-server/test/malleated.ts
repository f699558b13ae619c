const ORDER_OF_P256 = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/**
 * A copy of a certificate whose ECDSA signature (r, s) is (r, n - s): it holds for the same content, so the copy is good to OpenSSL,
 * and has another hash.
 *
 * @param der a certificate signed on P-256, of 256 bytes or more
 */
export function malleated(der: Buffer): Buffer {
  const contentBytes = der.readUInt16BE(6) + 4;
  // Head of the whole (4), content, algorithm (12), head of the bit string (3), head of the signature (2).
  const signed = der.subarray(4, 4 + contentBytes + 12);
  const signature = der.subarray(4 + contentBytes + 12 + 3 + 2);
  const rBytes = (signature[1] ?? 0) + 2;
  const s = BigInt(`0x${signature.subarray(rBytes + 2).toString("hex")}`);
  const hex = (ORDER_OF_P256 - s).toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const positive = (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]);
  const pair = element(0x30, signature.subarray(0, rBytes), element(0x02, positive));
  const whole = Buffer.concat([signed, element(0x03, Buffer.from([0]), pair)]);
  return Buffer.concat([Buffer.from([0x30, 0x82, whole.length >> 8, whole.length & 0xff]), whole]);
}

function element(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}
