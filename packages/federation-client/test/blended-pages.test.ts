import { setTimeout as wait } from "node:timers/promises";
import { newId } from "@mosaicstack/foundation";
import type { ListAnswer, ListRequest, Positions, Reader, Row, Source } from "@mosaicstack/federation-protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBlendedReader } from "../src/index.ts";
import { createLocalRows } from "./local-rows.ts";
import { peerProblem } from "../src/problems.ts";

/**
 * The blended reader over sources that fail, hang and recover, against a model that knows nothing of positions: which rows there
 * are, which have been given, and what a user who follows the cursors may conclude at the end.
 */

const DEADLINE_MS = 25;

/** What a source does when it is asked once. */
type Mood =
  | { readonly kind: "gives"; readonly cap: number; readonly delayMs: number }
  | { readonly kind: "fails" }
  | { readonly kind: "hangs" };

/** What happens to the rows, or to a peer, before the user's next request. */
type Change =
  | { readonly kind: "nothing" }
  | { readonly kind: "added"; readonly source: number }
  | { readonly kind: "removed"; readonly source: number; readonly row: number }
  /** A peer is removed, and perhaps another is added under its name. */
  | { readonly kind: "left"; readonly source: number; readonly isReplaced: boolean };

/** How a user goes on after a page: as the cursor says, or once more from where this page began where it was partial. */
type Step = { readonly change: Change; readonly asksAgain: boolean };

const mood: fc.Arbitrary<Mood> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("gives" as const),
      cap: fc.integer({ min: 1, max: 9 }),
      delayMs: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "fails" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "hangs" as const }) },
);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "nothing" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("added" as const), source: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("removed" as const), source: fc.nat(5), row: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("left" as const), source: fc.nat(4), isReplaced: fc.boolean() }),
  },
);

interface World {
  /** How many rows each source has; the first is local. */
  readonly sizes: readonly number[];
  readonly limit: number;
  readonly moods: readonly Mood[];
  readonly steps: readonly Step[];
}

const world: fc.Arbitrary<World> = fc.record({
  sizes: fc.array(fc.nat(14), { minLength: 2, maxLength: 6 }),
  limit: fc.integer({ min: 1, max: 8 }),
  moods: fc.array(mood, { maxLength: 40 }),
  steps: fc.array(fc.record({ change, asksAgain: fc.boolean() }), { maxLength: 30 }),
});

const nameOf = (index: number): string => (index === 0 ? "local" : `federated:p${index}`);
const START_MS = Date.UTC(2026, 0, 1);

interface Scene {
  readonly reader: Reader;
  readonly rows: Row[][];
  /** What the sources have done since it was last looked at, by name. */
  readonly done: Map<string, Mood["kind"]>;
  /** Under what a cursor keeps a source's position. */
  readonly placeOf: (source: string) => string;
  /** Removes a peer, and gives its name to another or to nobody; the last one's always to another. */
  readonly leave: (index: number, isReplaced: boolean) => void;
}

/** A peer that left owing rows, which a cursor goes on to tell of: of ten at most. */
const MOST_LEAVING = 8;

function sceneOf({ sizes, moods }: World): Scene {
  const rows = sizes.map((size, source) =>
    Array.from({ length: size }, (_, index) => ({
      id: newId(new Date(START_MS + (index * sizes.length + source) * 1000)),
    })),
  );
  const coming = moods.values();
  const done = new Map<string, Mood["kind"]>();
  const sourceOf = (index: number): Source => {
    const name = nameOf(index);
    const refuse = () => Promise.reject(peerProblem("peer_unreachable"));
    return {
      name,
      get place() {
        return placeOf(name);
      },
      async list({ limit, before }: ListRequest, signal) {
        const today: Mood = coming.next().value ?? { kind: "gives", cap: 200, delayMs: 0 };
        done.set(name, today.kind);
        if (today.kind === "fails") throw peerProblem("peer_unreachable");
        // One that heeds no signal: the reader has to give it up by itself.
        if (today.kind === "hangs") return await new Promise<never>(() => undefined);
        if (today.delayMs > 0) await wait(today.delayMs, undefined, { signal });
        const left = rows[index]!.filter(({ id }) => before === undefined || id < before).toSorted(newestFirst);
        const count = Math.min(limit, today.cap);
        const page = left.slice(0, count).map((row) => ({ ...row, _source: name }));
        return { rows: page, more: left.length > count, limit: count };
      },
      get: refuse,
      search: refuse,
      capabilities: refuse,
    };
  };
  /** How many peers have had a name before. */
  const former = new Map<string, number>();
  const placeOf = (name: string): string => (former.has(name) ? `${name}#${former.get(name)}` : name);
  const sources = sizes.map((_, index) => sourceOf(index));
  const absent = new Set<Source>();
  const present = (): Source[] => sources.slice(1).filter((source) => !absent.has(source));
  const reader = createBlendedReader({
    local: createLocalRows(() => []).reader,
    localSource: () => sources[0]!,
    peers: { sourcesOf: () => Promise.resolve(present()), sourceOf: () => Promise.resolve(sources[1]!) },
    deadlineMs: DEADLINE_MS,
  });
  return {
    reader,
    rows,
    done,
    placeOf,
    leave(index, isReplaced) {
      const name = nameOf(index);
      former.set(name, (former.get(name) ?? 0) + 1);
      const keepsName = isReplaced || present().length === 1;
      if (!keepsName) absent.add(sources[index]!);
      rows[index] = keepsName ? rows[index]!.map((_, at) => ({ id: newId(new Date(START_MS + at * 1000)) })) : [];
    },
  };
}

const newestFirst = (one: { id: string }, other: { id: string }): number => (one.id < other.id ? 1 : -1);
const key = (source: string, id: string): string => `${source} ${id}`;

/** Follows the cursors to the end, `retry` too, and checks each page on the way. */
async function readToTheEnd(given: World): Promise<void> {
  const { reader, rows, done, placeOf, leave } = sceneOf(given);
  const steps = given.steps.values();
  const seen = new Set<string>();
  const removed = new Set<string>();
  const added = new Set<string>();
  /** Sources that the list has a position in. */
  const begun = new Set<string>();
  /** Sources of these whose peer was removed, with what it held then. */
  const left: { readonly source: string; readonly rows: readonly Row[] }[] = [];
  /** The last row of each source so far. */
  const last = new Map<string, string>();
  let positions: Positions | undefined;
  /** As long as no source failed and nothing changed, the pages are one list. */
  let isCalm = true;
  let lastOfAll = "~";
  let toldGone: ReadonlySet<string> = new Set();
  for (let round = 0; ; round += 1) {
    if (round > 500) throw new Error("the list never ends");
    done.clear();
    const answer: ListAnswer = await reader.list("ada", {
      source: "all",
      resource: "tasks",
      limit: given.limit,
      filters: {},
      positions,
    });
    const page = (JSON.parse(answer.rowsJson) as { id: string; _source: string }[]).map(({ id, _source }) => ({
      id,
      source: _source,
    }));

    // Every source that was asked is reported, as it was, and no other but those that can't be asked any more.
    const asked = answer.sources.filter(({ status }) => status !== "gone");
    toldGone = new Set(answer.sources.filter(({ status }) => status === "gone").map(({ source }) => source));
    expect(new Set(asked.map(({ source }) => source))).toEqual(new Set(done.keys()));
    for (const { source, status, rows: count } of asked) {
      const expected = { gives: "ok", fails: "offline", hangs: "timeout" }[done.get(source)!];
      // Under load a source that gives may be late, too.
      expect(expected === "ok" ? ["ok", "timeout"] : [expected]).toContain(status);
      expect(count).toBe(page.filter((row) => row.source === source).length);
    }
    const failed = asked.filter(({ status }) => status !== "ok").map(({ source }) => source);
    expect(answer.partial).toBe(failed.length + toldGone.size > 0);
    expect([...toldGone]).toEqual(expect.arrayContaining(missingOf(left)));

    // The page is in order, and of each source in the order of the whole list: no row twice.
    expect(page.length).toBeLessThanOrEqual(given.limit);
    expect(page.map(({ id }) => id)).toEqual(page.toSorted(newestFirst).map(({ id }) => id));
    isCalm &&= failed.length === 0;
    for (const { id } of isCalm ? page : []) {
      expect(id < lastOfAll).toBe(true);
      lastOfAll = id;
    }
    const step = steps.next().value ?? { change: { kind: "nothing" as const }, asksAgain: false };
    const isAskedAgain = failed.length > 0 && step.asksAgain;
    // There's a way on as long as anything is owed, and one only.
    const places = answer.next ?? answer.retry;
    expect([answer.next, answer.retry]).toContain(undefined);
    expect(failed.filter((source) => typeof places?.[placeOf(source)] !== "string")).toEqual([]);
    for (const { id, source } of isAskedAgain ? [] : page) {
      expect(seen.has(key(source, id))).toBe(false);
      expect(id < (last.get(source) ?? "~")).toBe(true);
      seen.add(key(source, id));
      last.set(source, id);
    }
    // The end of what there is, said while nobody failed, is the end.
    if (places === undefined) break;
    if (!isAskedAgain) {
      positions = places;
      for (const { source } of asked) begun.add(source);
    }
    happen(step.change);
  }
  for (const [index, own] of rows.entries()) {
    const source = nameOf(index);
    const missing = own.filter(({ id }) => !seen.has(key(source, id)) && !added.has(key(source, id)));
    expect(missing).toEqual([]);
  }
  // What is missing at the end is what a peer that left still owed, and the last page says so.
  expect([...toldGone]).toEqual(expect.arrayContaining(missingOf(left)));
  for (const { source, rows: owed } of left) for (const { id } of owed) removed.add(key(source, id));
  const all = new Set(rows.flatMap((own, index) => own.map(({ id }) => key(nameOf(index), id))));
  for (const one of seen) expect(all.has(one) || removed.has(one)).toBe(true);

  function missingOf(sources: typeof left): string[] {
    return sources
      .filter(({ source, rows: held }) =>
        held.some(({ id }) => !seen.has(key(source, id)) && !added.has(key(source, id))),
      )
      .map(({ source }) => source);
  }

  function happen(what: Change): void {
    if (what.kind === "nothing") return;
    isCalm = false;
    if (what.kind === "left") {
      if (left.length === MOST_LEAVING) return;
      const peer = 1 + (what.source % (rows.length - 1));
      // One that the list hasn't begun with owes it nothing.
      if (begun.delete(nameOf(peer))) left.push({ source: nameOf(peer), rows: rows[peer]! });
      leave(peer, what.isReplaced);
      last.delete(nameOf(peer));
      return;
    }
    const index = what.source % rows.length;
    const own = rows[index]!;
    if (what.kind === "added") {
      const id = newId(new Date(START_MS + 86_400_000));
      added.add(key(nameOf(index), id));
      own.push({ id });
      return;
    }
    const [gone] = own.splice(what.row % Math.max(own.length, 1), 1);
    if (gone !== undefined) removed.add(key(nameOf(index), gone.id));
  }
}

/** A peer with one row, given after so long; undefined: never. */
function slowSource(index: number, afterMs: number | undefined): Source {
  const name = nameOf(index);
  const refuse = () => Promise.reject(peerProblem("peer_unreachable"));
  return {
    name,
    place: name,
    async list() {
      if (afterMs === undefined) return await new Promise<never>(() => undefined);
      await wait(afterMs);
      return { rows: [{ id: newId(), _source: name }], more: false, limit: 10 };
    },
    get: refuse,
    search: refuse,
    capabilities: refuse,
  };
}

test("twelve peers are asked side by side, and the answer is there at the deadline with what there is", async () => {
  const delays = [0, 300, undefined];
  const sources = Array.from({ length: 12 }, (_, index) => slowSource(index + 1, delays[index % 3]));
  const reader = createBlendedReader({
    local: createLocalRows(() => []).reader,
    localSource: () => slowSource(0, 0),
    peers: { sourcesOf: () => Promise.resolve(sources), sourceOf: () => Promise.resolve(sources[0]!) },
    deadlineMs: 800,
  });
  const startedAt = performance.now();
  const read = { source: "all", resource: "tasks", limit: 50, filters: {}, positions: undefined };
  const answer = await reader.list("ada", read);
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThan(790);
  expect(tookMs).toBeLessThan(1200);
  expect(JSON.parse(answer.rowsJson)).toHaveLength(9);
  const statuses = answer.sources.map(({ status }) => status);
  expect(statuses).toEqual(["ok", ...Array.from({ length: 4 }, () => ["ok", "ok", "timeout"]).flat()]);
  expect(answer).toMatchObject({ partial: true, next: undefined });
  const owed = sources.filter((_, index) => index % 3 === 2).map(({ name }) => name);
  const places = Object.entries(answer.retry ?? {});
  expect(places.filter(([, place]) => place !== null).map(([source]) => source)).toEqual(owed);
});

describe("a blended list, against a model", () => {
  test("whose sources fail, hang, recover and leave at any page gives each row once, and reports what is missing", async () => {
    await fc.assert(fc.asyncProperty(world, readToTheEnd), { numRuns: 150 });
  }, 120_000);
});
