import { DER_TAGS, hexOfInteger } from "./der.ts";

/** The extensions of an entry that has a reason and nothing else, up to the reason: nearly all are so. */
const REASON_ALONE = Buffer.from("300c300a0603551d1504030a01", "hex");
/** Twice what RFC 5280 5.3 knows of an entry: each is compared with all before it. */
const MAX_EXTENSIONS = 6;
const MAX_LENGTH_BYTES = 4;
const [UTC_TIME_BYTES, GENERALIZED_TIME_BYTES] = [13, 15];

/** The certificates that a CRL names, in the bytes that it came in: nothing is made of them until it is asked for. */
export interface RevokedEntries {
  /** Looks through the bytes: some milliseconds for the longest list. @param serial lower-case hex without leading zeros */
  has(serial: string): boolean;
  /** All of them, lower-case hex without leading zeros. Made once, and much slower than `has`. */
  serials(): ReadonlySet<string>;
}

export type RevokedEntriesReading =
  | { readonly kind: "entries"; readonly entries: RevokedEntries }
  /** An entry has a critical extension: it may be of another CA, or take a revocation back. */
  | { readonly kind: "not understood" };

/** Where an element of DER is. One is filled again and again, since a list has a hundred thousand entries. */
interface Place {
  tag: number;
  /** Of its content. */
  start: number;
  end: number;
}

const newPlace = (): Place => ({ tag: 0, start: 0, end: 0 });

/** Fills in the element at `at`, which must end by `limit`. As strict as `readDer`. @throws Error where there is none of this tag */
function find(bytes: Buffer, at: number, limit: number, tag: number, place: Place): void {
  let length = at + 1 < limit ? (bytes[at + 1] ?? 0) : -1;
  if (length < 0 || bytes[at] !== tag) throw new Error("DER with another element than expected");
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > MAX_LENGTH_BYTES || start + count > limit)
      throw new Error("DER with an unusable length");
    length = bytes.readUIntBE(start, count);
    start += count;
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new Error("DER with a loose length");
  }
  if (start + length > limit) throw new Error("DER is cut short");
  place.tag = tag;
  place.start = start;
  place.end = start + length;
}

/**
 * Reads the entries of a CRL (RFC 5280 5.1.2.6), all of them, and keeps none: a pass over the bytes that makes no objects, since
 * whoever publishes a list decides how long it keeps its readers.
 *
 * @param bytes what stands in `revokedCertificates`
 * @throws Error where they are not DER, or not entries
 */
export function readRevokedEntries(bytes: Buffer): RevokedEntriesReading {
  const [entry, part] = [newPlace(), newPlace()];
  const oids = Array.from({ length: MAX_EXTENSIONS }, newPlace);
  const places = { extension: newPlace(), part: newPlace(), oids };
  for (let at = 0; at < bytes.length; at = entry.end) {
    find(bytes, at, bytes.length, DER_TAGS.sequence, entry);
    find(bytes, entry.start, entry.end, DER_TAGS.integer, part);
    requirePositive(bytes, part);
    const timeTag = bytes[part.end] === DER_TAGS.utcTime ? DER_TAGS.utcTime : DER_TAGS.generalizedTime;
    find(bytes, part.end, entry.end, timeTag, part);
    requireTime(bytes, part);
    if (part.end === entry.end) continue;
    if (isReasonAlone(bytes, part.end, entry.end)) continue;
    find(bytes, part.end, entry.end, DER_TAGS.sequence, part);
    if (part.end !== entry.end) throw new Error("DER with more after its end");
    if (hasCritical(bytes, part.start, part.end, places)) return { kind: "not understood" };
  }
  let serials: ReadonlySet<string> | undefined;
  return {
    kind: "entries",
    entries: { has: (serial) => isListed(bytes, serial), serials: () => (serials ??= serialsOf(bytes)) },
  };
}

function requirePositive(bytes: Buffer, { start, end }: Place): void {
  const first = start < end ? (bytes[start] ?? 0x80) : 0x80;
  const isLoose = first === 0 && end - start > 1 && (bytes[start + 1] ?? 0) < 0x80;
  if (first >= 0x80 || isLoose) throw new Error("not a positive INTEGER");
}

/** As `readTime`, without a Date: UTC, to the second, on the calendar. */
function requireTime(bytes: Buffer, { tag, start, end }: Place): void {
  const isLong = tag === DER_TAGS.generalizedTime;
  const length = isLong ? GENERALIZED_TIME_BYTES : UTC_TIME_BYTES;
  if (end - start !== length || bytes[end - 1] !== 0x5a) throw new Error("not a time");
  const short = pairAt(bytes, start);
  const year = isLong ? short * 100 + pairAt(bytes, start + 2) : short + (short < 50 ? 2000 : 1900);
  const from = isLong ? start + 4 : start + 2;
  const month = pairAt(bytes, from);
  const day = pairAt(bytes, from + 2);
  const isDay = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
  const isClock = pairAt(bytes, from + 4) < 24 && pairAt(bytes, from + 6) < 60 && pairAt(bytes, from + 8) < 60;
  if (!isDay || !isClock) throw new Error("not a time");
}

/** Two digits. @throws Error where they are none */
function pairAt(bytes: Buffer, at: number): number {
  const ten = (bytes[at] ?? 0) - 0x30;
  const one = (bytes[at + 1] ?? 0) - 0x30;
  if (ten < 0 || ten > 9 || one < 0 || one > 9) throw new Error("not a time");
  return ten * 10 + one;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function isReasonAlone(bytes: Buffer, at: number, end: number): boolean {
  if (end - at !== REASON_ALONE.length + 1) return false;
  for (let index = 0; index < REASON_ALONE.length; index += 1) {
    if (bytes[at + index] !== REASON_ALONE[index]) return false;
  }
  return true;
}

/** As `readExtensions`. @throws Error where one is there twice, there are too many, or they are not DER */
function hasCritical(bytes: Buffer, from: number, to: number, place: ExtensionPlaces): boolean {
  const { extension, part, oids } = place;
  let count = 0;
  let isCritical = false;
  for (let at = from; at < to; at = extension.end) {
    find(bytes, at, to, DER_TAGS.sequence, extension);
    find(bytes, extension.start, extension.end, DER_TAGS.objectIdentifier, part);
    const own = oids[count];
    if (own === undefined) throw new Error("more extensions than there are");
    own.start = part.start;
    own.end = part.end;
    for (let before = 0; before < count; before += 1) {
      if (isSame(bytes, own, oids[before] ?? own)) throw new Error("an extension is there twice");
    }
    count += 1;
    if (bytes[part.end] === DER_TAGS.boolean && part.end < extension.end) {
      find(bytes, part.end, extension.end, DER_TAGS.boolean, part);
      isCritical ||= part.end - part.start === 1 && bytes[part.start] === 0xff;
    }
    find(bytes, part.end, extension.end, DER_TAGS.octetString, part);
    if (part.end !== extension.end) throw new Error("DER with more after its end");
  }
  return isCritical;
}

/** Reused from entry to entry. */
interface ExtensionPlaces {
  readonly extension: Place;
  readonly part: Place;
  /** Of the entry's extensions so far. */
  readonly oids: readonly Place[];
}

function isSame(bytes: Buffer, one: Place, another: Place): boolean {
  const length = one.end - one.start;
  if (another.end - another.start !== length) return false;
  for (let index = length - 1; index >= 0; index -= 1) {
    if (bytes[one.start + index] !== bytes[another.start + index]) return false;
  }
  return true;
}

/** Calls `visit` with where each serial number stands, until it returns true. Of entries that were read before. */
function someSerial(bytes: Buffer, visit: (start: number, end: number) => boolean): boolean {
  const [entry, serial] = [newPlace(), newPlace()];
  for (let at = 0; at < bytes.length; at = entry.end) {
    find(bytes, at, bytes.length, DER_TAGS.sequence, entry);
    find(bytes, entry.start, entry.end, DER_TAGS.integer, serial);
    if (visit(serial.start, serial.end)) return true;
  }
  return false;
}

function isListed(bytes: Buffer, serial: string): boolean {
  if (!/^(?:0|[1-9a-f][0-9a-f]*)$/.test(serial)) return false;
  const even = Buffer.from(serial.length % 2 === 0 ? serial : `0${serial}`, "hex");
  const wanted = (even[0] ?? 0) < 0x80 ? even : Buffer.concat([Buffer.from([0]), even]);
  return someSerial(bytes, (start, end) => {
    if (end - start !== wanted.length) return false;
    // From its end: serial numbers may begin alike.
    for (let index = wanted.length - 1; index >= 0; index -= 1) {
      if (bytes[start + index] !== wanted[index]) return false;
    }
    return true;
  });
}

function serialsOf(bytes: Buffer): ReadonlySet<string> {
  const serials = new Set<string>();
  someSerial(bytes, (start, end) => {
    serials.add(hexOfInteger(bytes.subarray(start, end)));
    return false;
  });
  return serials;
}
