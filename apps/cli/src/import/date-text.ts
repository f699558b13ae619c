const DAY = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$/u;
const INSTANT =
  /^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?$/iu;

const FIRST_YEAR = 1000;

/**
 * Reads a date as people write it: a day, year first (`2026-12-03`, `2026-12-3`, `2026/12/3`), which is midnight UTC, or
 * an ISO 8601 instant; one without an offset is UTC. Undefined: it is not a date, or the year has not four digits.
 */
export function readDate(text: string): Date | undefined {
  const trimmed = text.trim();
  const day = DAY.exec(trimmed);
  if (day !== null) return instantOf(day.slice(1, 4).map(Number), [0, 0, 0, 0], 0);
  const parts = INSTANT.exec(trimmed);
  if (parts === null) return undefined;
  const [hour, minute, second] = parts.slice(4, 7).map((part) => Number(part ?? 0));
  const milliseconds = Number((parts[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const offset = offsetMinutes(parts[8] ?? "Z");
  if (offset === undefined) return undefined;
  return instantOf(parts.slice(1, 4).map(Number), [hour ?? 0, minute ?? 0, second ?? 0, milliseconds], offset);
}

function offsetMinutes(text: string): number | undefined {
  const parts = /^([+-])(\d{2}):?(\d{2})$/u.exec(text);
  if (parts === null) return 0;
  const [hours, minutes] = [Number(parts[2]), Number(parts[3])];
  if (hours > 23 || minutes > 59) return undefined;
  return (parts[1] === "-" ? -1 : 1) * (hours * 60 + minutes);
}

function instantOf(
  [year = 0, month = 0, day = 0]: readonly number[],
  [hour, minute, second, millisecond]: readonly [number, number, number, number],
  offset: number,
): Date | undefined {
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second, millisecond));
  // Date.UTC takes 31 February for 3 March; a date that was not written is not a date that was meant.
  const asWritten =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  if (!asWritten || year < FIRST_YEAR) return undefined;
  const shifted = new Date(date.getTime() - offset * 60_000);
  return shifted.getUTCFullYear() >= FIRST_YEAR && shifted.getUTCFullYear() <= 9999 ? shifted : undefined;
}
