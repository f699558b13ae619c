import type { AuditEntry } from "@mosaicstack/storage";
import { expect, test } from "vitest";
import { createServingAudit, MOST_REFUSALS, WINDOW_MS } from "../src/serving-audit.ts";
import type { ServingRecord } from "../src/serving-record.ts";

const ada: ServingRecord = {
  requestId: "01a209ae-c38d-71d7-ae85-336293c8e3d8",
  verb: "list",
  resource: "tasks",
  serial: "1f",
  grantId: "01a209ae-c38d-71d7-ae85-000000000001",
  subjectUserId: "01a209ae-c38d-71d7-ae85-000000000002",
  outcome: "ok",
  rows: 3,
  bytes: 99,
  tookMs: 1.5,
};
const stranger: ServingRecord = {
  ...ada,
  verb: "connect",
  resource: null,
  serial: null,
  grantId: null,
  subjectUserId: null,
  outcome: "certificate_untrusted",
  reason: "no client certificate was presented",
  rows: 0,
};

function setUp() {
  const entries: AuditEntry[] = [];
  let now = Date.parse("2026-06-15T12:00:00Z");
  const audit = createServingAudit({
    clock: { now: () => new Date(now) },
    queue: {
      hasRoom: () => true,
      queryHash: () => "",
      record: (entry) => (entries.push(entry) > 0 ? "queued" : "full"),
    },
  });
  return { entries, audit, advance: (ms: number) => (now += ms) };
}

test("an entry holds what is known and nothing else: the cause of a fault stays in the log", () => {
  const { audit, entries } = setUp();
  audit.record({ ...ada, queryHash: "h", cause: "select secret" });
  audit.record(stranger);
  const { requestId, tookMs } = ada;
  expect(entries[0]).toEqual({ ...ada, side: "serving", event: "request", queryHash: "h" });
  expect(entries[1]).toEqual({
    side: "serving",
    event: "connection",
    requestId,
    verb: "connect",
    outcome: "certificate_untrusted",
    reason: "no client certificate was presented",
    rows: 0,
    bytes: 99,
    tookMs,
  });
  audit.close();
});

test("answers have an entry each, however many there are", () => {
  const { audit, entries } = setUp();
  for (let index = 0; index < 3 * MOST_REFUSALS; index += 1) audit.record(ada);
  expect(entries).toHaveLength(3 * MOST_REFUSALS);
  audit.close();
});

test("refusals that repeat are counted, and the count is written once their minute has ended", () => {
  const { audit, entries, advance } = setUp();
  for (let index = 0; index < 1000; index += 1) audit.record(stranger);
  expect(entries).toHaveLength(MOST_REFUSALS);
  // Another's, and another refusal of the same, are not kept back by them.
  audit.record({ ...ada, outcome: "rate_limited" });
  audit.record({ ...stranger, outcome: "certificate_unknown" });
  expect(entries).toHaveLength(MOST_REFUSALS + 2);
  advance(WINDOW_MS);
  audit.record(stranger);
  expect(entries.slice(MOST_REFUSALS + 2)).toEqual([
    expect.objectContaining({ outcome: "certificate_untrusted", details: { repeated: 1000 - MOST_REFUSALS } }),
    expect.not.objectContaining({ details: expect.anything() as unknown }),
  ]);
  audit.close();
});

test("at the end the counts that are open are written", () => {
  const { audit, entries } = setUp();
  for (let index = 0; index <= MOST_REFUSALS; index += 1) audit.record(stranger);
  audit.close();
  expect(entries.at(-1)?.details).toEqual({ repeated: 1 });
});

test("a clock that is set back does not hold anything open", () => {
  const { audit, entries, advance } = setUp();
  for (let index = 0; index <= MOST_REFUSALS; index += 1) audit.record(stranger);
  advance(-3 * WINDOW_MS);
  audit.record({ ...ada, outcome: "row_not_found" });
  expect(entries.some(({ details }) => details !== undefined)).toBe(true);
  audit.close();
});
