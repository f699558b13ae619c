import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { type AuditEntry, auditTable, describeFinding, readPast } from "../src/audit.ts";
import { linesOf } from "../src/stream-lines.ts";

const entry: AuditEntry = {
  at: "2026-12-01T12:34:56.789Z",
  side: "serving",
  event: "request",
  outcome: "ok",
  grant_id: "019aaf2c-0000-7000-8000-000000000001",
  grant_name: "home",
  peer_id: null,
  peer_name: null,
  subject_user_id: "019aaf2c-0000-7000-8000-000000000002",
  subject_name: "Ada",
  serial: null,
  verb: "list",
  resource: "tasks",
  rows: 50,
  bytes: 12_345,
  took_ms: 1.25,
  request_id: null,
};

test("an entry is a line: to the second, what was asked, and what came of it", () => {
  const [, line] = auditTable([entry], undefined).split("\n");
  expect(line).toBe("2026-12-01 12:34:56  serving  home           Ada   list tasks  ok       50    12345  1.3");
});

test("what is not a request shows its event, and a removed grant its id", () => {
  const table = auditTable(
    [
      {
        ...entry,
        event: "grant.revoked",
        verb: null,
        resource: null,
        grant_name: null,
        rows: null,
        bytes: null,
        took_ms: null,
      },
    ],
    undefined,
  );
  expect(table).toContain("019aaf2c-0000-7000-8000-000000000001");
  expect(table).toContain("grant.revoked");
});

test("nothing in an entry moves the cursor, changes colours or hides", () => {
  const hostile = "\u001b[31mred\u001b]0;title\u0007\u202egnp\u200b\r\nsecond";
  const table = auditTable(
    [{ ...entry, outcome: hostile, grant_name: hostile, subject_name: hostile, verb: hostile, event: "request" }],
    undefined,
  );
  expect(table).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202e]/u);
  expect(table.split("\n")).toHaveLength(2);
  expect(table).toContain("redgnp second");
});

test.each([
  ["30m", "2026-12-01T11:30:00.000Z"],
  ["2h", "2026-12-01T10:00:00.000Z"],
  ["7d", "2026-11-24T12:00:00.000Z"],
  ["2026-11-30T08:00:00Z", "2026-11-30T08:00:00.000Z"],
])("--since %s is %s", (text, at) => {
  const clock = { now: () => new Date("2026-12-01T12:00:00.000Z") };
  expect(readPast("--since", text, clock)).toBe(at);
});

test("--since of no time is refused by its name", () => {
  expect(() => readPast("--since", "soon", { now: () => new Date() })).toThrow(/--since "soon" is neither/u);
});

test("findings are sentences that name the place", () => {
  expect(describeFinding({ kind: "changed", position: 3, id: "x" })).toBe(
    "entry 3 (x) is not as it was written, or not what was written there",
  );
  expect(describeFinding({ kind: "missing", position: 4, until: 9 })).toBe("entries 4 to 9 are missing");
});

test("lines come whole, however the stream is cut, in the middle of a character too", async () => {
  const bytes = Buffer.from("żółć\r\nsecond\n\nlast 🦊");
  const chunks = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
  const lines: string[] = [];
  for await (const line of linesOf(Readable.from(chunks))) lines.push(line);
  expect(lines).toEqual(["żółć", "second", "", "last 🦊"]);
});
