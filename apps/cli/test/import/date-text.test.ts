import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDate } from "../../src/import/date-text.ts";

describe("a date is read", () => {
  test.each([
    ["2018-11-26", "2018-11-26T00:00:00.000Z"],
    ["2025-10-9", "2025-10-09T00:00:00.000Z"],
    ["2024-2-1", "2024-02-01T00:00:00.000Z"],
    ["2024/02/29", "2024-02-29T00:00:00.000Z"],
    ["2024.02.29", "2024-02-29T00:00:00.000Z"],
    [" 2024-01-01 ", "2024-01-01T00:00:00.000Z"],
    ["2024-01-01T10:20:30Z", "2024-01-01T10:20:30.000Z"],
    ["2024-01-01 10:20", "2024-01-01T10:20:00.000Z"],
    ["2024-01-01T10:20:30.5+02:00", "2024-01-01T08:20:30.500Z"],
    ["2024-01-01T00:00:00-0530", "2024-01-01T05:30:00.000Z"],
    ["2024-01-01T10:20:30.123456789Z", "2024-01-01T10:20:30.123Z"],
  ])("%s", (text, instant) => {
    expect(readDate(text)?.toISOString()).toBe(instant);
  });
});

describe("what is no date is not taken for one", () => {
  test.each([
    "",
    "yyyy-mm-dd",
    "v1.27",
    "2024-13-01",
    "2024-02-30",
    "2023-02-29",
    "2024-00-01",
    "01/02/2024",
    "0999-01-01",
    "10000-01-01",
    "2024-01-01T25:00:00Z",
    "2024-01-01T10:60:00Z",
    "2024-01-01T10:00:00+24:00",
    "9999-12-31T23:59:59-10:00",
    "tomorrow",
    "1714564800",
  ])("%j", (text) => {
    expect(readDate(text)).toBeUndefined();
  });

  test("nothing throws, and what is read can be written", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\dTZ:+. /-]{0,30}$/u), (text) => {
        const date = readDate(text);
        expect(date === undefined ? undefined : readDate(date.toISOString())).toEqual(date);
      }),
    );
  });
});
