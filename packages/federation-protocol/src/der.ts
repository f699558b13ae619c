/** Tags of the elements read here (X.690 8.1.2), constructed where the standard has them so. */
export const DER_TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** One element of DER. Both are views into the bytes it was read from. */
export interface DerElement {
  readonly tag: number;
  /** Tag and length included. */
  readonly whole: Buffer;
  readonly content: Buffer;
}

/** Reads one element after the other. Each method throws an Error where the bytes are not DER of the kind asked for. */
export interface DerCursor {
  /** Whether all bytes have been read. */
  done(): boolean;
  /** Whether an element of this tag comes next. */
  sees(tag: number): boolean;
  take(tag?: number): DerElement;
  /** Says that nothing may come any more. */
  end(): void;
}

/**
 * A reader of DER (X.690) for what strangers send and what is long. Strict: lengths are definite and as short as can be, so no two encodings of
 * an element pass. It allocates nothing but views, and goes no deeper than it is asked to.
 */
export function readDer(bytes: Buffer): DerCursor {
  let at = 0;

  function take(wanted?: number): DerElement {
    const tag = bytes[at];
    let length = bytes[at + 1];
    if (tag === undefined || length === undefined) throw new Error("DER is cut short");
    if ((tag & 0x1f) === 0x1f) throw new Error("DER with a long tag");
    if (wanted !== undefined && tag !== wanted) throw new Error("DER with another element than expected");
    let start = at + 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4 || start + count > bytes.length) throw new Error("DER with an unusable length");
      length = bytes.readUIntBE(start, count);
      start += count;
      if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new Error("DER with a loose length");
    }
    const end = start + length;
    if (end > bytes.length) throw new Error("DER is cut short");
    const element = { tag, whole: bytes.subarray(at, end), content: bytes.subarray(start, end) };
    at = end;
    return element;
  }

  return {
    done: () => at === bytes.length,
    sees: (tag) => bytes[at] === tag,
    take,
    end() {
      if (at !== bytes.length) throw new Error("DER with more after its end");
    },
  };
}

/** What stands in a SEQUENCE that is all there is. @throws Error where it is not that */
export function readSequence(bytes: Buffer): DerCursor {
  const cursor = readDer(bytes);
  const { content } = cursor.take(DER_TAGS.sequence);
  cursor.end();
  return readDer(content);
}

/** A positive INTEGER in lower-case hex without leading zeros. @throws Error where it is not positive, or not written in the shortest way */
export function hexOfInteger(content: Buffer): string {
  const [first = 0x80, second = 0x80] = content;
  if (first >= 0x80 || (first === 0 && second < 0x80 && content.length > 1)) throw new Error("not a positive INTEGER");
  return content.toString("hex").replace(/^0+(?=.)/, "");
}

/** A time as certificates and CRLs have it (RFC 5280 4.1.2.5): in UTC, to the second. @throws Error where it is none */
export function readTime({ tag, content }: DerElement): Date {
  const text = content.toString("latin1");
  const long =
    tag === DER_TAGS.generalizedTime
      ? text
      : tag === DER_TAGS.utcTime
        ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}`
        : "";
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(long);
  if (parts === null) throw new Error("not a time");
  const [, year, month, day, hour, minute, second] = parts;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = new Date(iso);
  // A date that is on no calendar is none, or another one.
  if (Number.isNaN(time.getTime()) || time.toISOString() !== iso) throw new Error("not a time");
  return time;
}

/** An extension of a certificate or CRL (RFC 5280 4.1.2.9). */
export interface DerExtension {
  readonly critical: boolean;
  /** The DER inside its OCTET STRING. */
  readonly value: Buffer;
}

/**
 * Extensions by their OID, which is the hex of its DER content (`551d14` is 2.5.29.20).
 *
 * @param bytes the SEQUENCE of them
 * @throws Error where one is there twice, or they are not DER
 */
export function readExtensions(bytes: Buffer): ReadonlyMap<string, DerExtension> {
  const extensions = new Map<string, DerExtension>();
  for (const cursor = readSequence(bytes); !cursor.done();) {
    const extension = readDer(cursor.take(DER_TAGS.sequence).content);
    const oid = extension.take(DER_TAGS.objectIdentifier).content.toString("hex");
    const critical = extension.sees(DER_TAGS.boolean) && extension.take().content.equals(Buffer.from([0xff]));
    const { content: value } = extension.take(DER_TAGS.octetString);
    extension.end();
    if (extensions.has(oid)) throw new Error("an extension is there twice");
    extensions.set(oid, { critical, value });
  }
  return extensions;
}
