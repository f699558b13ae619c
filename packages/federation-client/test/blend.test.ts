import type { Positions } from "@mosaicstack/federation-protocol";
import { LAST_ID } from "@mosaicstack/foundation";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blend, type SourcePage } from "../src/blend.ts";

const row = (source: string, id: string) => ({ id, json: `${source}/${id}` });
const page = (source: string, ids: string[], more = false): SourcePage => ({
  kind: "page",
  source,
  rows: ids.map((id) => row(source, id)),
  more,
});
const texts = (rows: readonly { json: string }[]) => rows.map(({ json }) => json);

describe("blend", () => {
  test("merges by id, newest first, and ends when every source is given to its end", () => {
    const answer = blend([page("a", ["7", "3"]), page("b", ["5"])], 10, undefined);
    expect(texts(answer.rows)).toEqual(["a/7", "b/5", "a/3"]);
    expect(answer.next).toBeUndefined();
    expect(answer.retry).toBeUndefined();
  });

  test("a source's position is its last row taken into the page, not its last row fetched", () => {
    const answer = blend([page("a", ["9", "8", "1"]), page("b", ["7", "6"], true)], 3, undefined);
    expect(texts(answer.rows)).toEqual(["a/9", "a/8", "b/7"]);
    expect(answer.next).toEqual({ a: "8", b: "7" });
    expect(answer.shares.get("a")).toEqual({ rows: 2, truncated: true });
  });

  test("a source none of whose rows were taken keeps its position", () => {
    const fresh = blend([page("a", ["9"]), page("b", ["7"])], 1, undefined);
    expect(fresh.next).toEqual({ a: null, b: LAST_ID });
    const later = blend([page("a", ["6"], true), page("b", ["2"])], 1, { a: "7", b: "3" });
    expect(later.next).toEqual({ a: "6", b: "3" });
  });

  test("a source capped below the limit ends the page: it may hold rows newer than the others' next", () => {
    const answer = blend([page("a", ["9", "5"], true), page("b", ["8", "4", "3"])], 10, undefined);
    expect(texts(answer.rows)).toEqual(["a/9", "b/8", "a/5"]);
    expect(answer.next).toEqual({ a: "5", b: "8" });
  });

  test("rows of equal id from two sources are two rows, in the order of the sources", () => {
    expect(texts(blend([page("a", ["5"]), page("b", ["5"])], 10, undefined).rows)).toEqual(["a/5", "b/5"]);
  });

  test("a failed source keeps its position and does not stop the others", () => {
    const answer = blend([page("a", ["5"], true), { kind: "failed", source: "b" }], 10, { a: "8", b: "7" });
    expect(texts(answer.rows)).toEqual(["a/5"]);
    expect(answer.next).toEqual({ a: "5", b: "7" });
    expect(answer.retry).toBeUndefined();
  });

  test("when only failed sources are left there is no next page, but a place to retry from", () => {
    const pages: SourcePage[] = [page("a", ["5"]), { kind: "failed", source: "b" }, { kind: "exhausted", source: "c" }];
    const answer = blend(pages, 10, { a: "8", b: "7", c: null });
    expect(answer.next).toBeUndefined();
    expect(answer.retry).toEqual({ a: null, b: "7", c: null });
  });

  test("a source that failed from the start is retried from its newest row", () => {
    expect(blend([{ kind: "failed", source: "b" }], 10, undefined)).toMatchObject({ rows: [], retry: { b: LAST_ID } });
  });
});

/** A source as a model: its rows, and what each time it is asked it does (fails, or gives at most `cap` rows). */
const ids = fc.uniqueArray(fc.integer({ min: 10, max: 99 }).map(String), { maxLength: 25 });
interface World {
  readonly sources: string[][];
  readonly limit: number;
  readonly weather: { fails: boolean; cap: number }[];
}
const world: fc.Arbitrary<World> = fc.record({
  sources: fc.array(ids, { minLength: 1, maxLength: 5 }),
  limit: fc.integer({ min: 1, max: 12 }),
  weather: fc.array(fc.record({ fails: fc.boolean(), cap: fc.integer({ min: 1, max: 12 }) }), { maxLength: 60 }),
});

/** Pages through a world to its end. Once the weather has run out, every source answers. */
function readAll({ sources, limit, weather }: World) {
  const pages: { texts: string[]; ids: string[] }[] = [];
  const days = weather.values();
  const ask =
    (positions: Positions | undefined) =>
    (all: string[], index: number): SourcePage => {
      const source = `s${index}`;
      const position = positions?.[source];
      if (position === null) return { kind: "exhausted", source };
      const { fails, cap } = days.next().value ?? { fails: false, cap: 12 };
      if (fails) return { kind: "failed", source };
      const left = descending(all).filter((id) => id < (position ?? LAST_ID));
      const count = Math.min(cap, limit);
      return page(source, left.slice(0, count), left.length > count);
    };
  let positions: Positions | undefined;
  for (let round = 0; round < 500; round++) {
    const answer = blend(sources.map(ask(positions)), limit, positions);
    pages.push({ texts: texts(answer.rows), ids: answer.rows.map(({ id }) => id) });
    positions = answer.next ?? answer.retry;
    if (positions === undefined) return pages;
  }
  throw new Error("the list never ends");
}

const descending = (list: string[]) => list.toSorted().toReversed();
const everyRow = (sources: string[][]) =>
  sources.flatMap((all, index) => all.map((id) => `s${index}/${id}`)).toSorted();

describe("blend, against a model", () => {
  test("through failures, recoveries and caps, the pages hold every row of every source once", () => {
    fc.assert(
      fc.property(world, (given) => {
        const pages = readAll(given);
        expect(pages.flatMap((one) => one.texts).toSorted()).toEqual(everyRow(given.sources));
        for (const one of pages) {
          expect(one.ids).toEqual(descending(one.ids));
          expect(one.ids.length).toBeLessThanOrEqual(given.limit);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("without failures, the pages together are one descending list, whatever the sources' caps", () => {
    fc.assert(
      fc.property(world, (given) => {
        const weather = given.weather.map(({ cap }) => ({ fails: false, cap }));
        const all = readAll({ ...given, weather }).flatMap((one) => one.ids);
        expect(all).toEqual(descending(all));
      }),
      { numRuns: 1000 },
    );
  });
});
