import { newId } from "@mosaicstack/foundation";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { blendFound, type FoundPage } from "../src/blend-found.ts";

const ids = Array.from({ length: 9 }, (_, index) => newId(new Date(Date.UTC(2026, 0, 1 + index))));

/** A source that found rows of these numbers, best first. */
const page = (source: string, numbers: readonly number[], more = false, scores: readonly number[] = []): FoundPage => ({
  source,
  more,
  rows: numbers.map((number, index) => ({
    resource: "notes",
    id: ids[number] ?? "",
    score: scores[index] ?? 0,
    json: `${source} ${number}`,
  })),
});
const jsonOf = (pages: readonly FoundPage[], limit: number) => blendFound(pages, limit).rows.map(({ json }) => json);

describe("what several sources found", () => {
  test("is taken place by place, of equal places the newest id first", () => {
    expect(jsonOf([page("local", [5, 1, 0]), page("work", [3, 8])], 10)).toEqual([
      "local 5",
      "work 3",
      "work 8",
      "local 1",
      "local 0",
    ]);
  });

  test("puts the better match first, where sources say how well theirs match", () => {
    const pages = [page("local", [8, 7], false, [0.3, 0.2]), page("work", [2, 1], false, [1.6, 1.1])];
    expect(jsonOf(pages, 3)).toEqual(["work 2", "local 8", "work 1"]);
  });

  test("does not let a source that claims the most take all the first places", () => {
    const pages = [page("local", [8, 7], false, [1.2, 1.1]), page("liar", [2, 1, 0], false, [100, 100, 100])];
    expect(jsonOf(pages, 3)).toContain("local 8");
  });

  test("of equal id and place stands in the order of the sources' names", () => {
    expect(jsonOf([page("work", [4]), page("local", [4]), page("club", [4])], 10)).toEqual([
      "club 4",
      "local 4",
      "work 4",
    ]);
  });

  test("is cut to the limit, and each source says whether it has more", () => {
    const { rows, shares } = blendFound([page("local", [5, 1]), page("work", [3], true), page("club", [])], 2);
    expect(rows).toHaveLength(2);
    expect(Object.fromEntries(shares)).toEqual({
      local: { rows: 1, truncated: true },
      work: { rows: 1, truncated: true },
      club: { rows: 0, truncated: false },
    });
  });

  test("does not depend on the order in which the sources answered, and keeps each source's own order", () => {
    const numbers = fc.uniqueArray(fc.nat(8));
    fc.assert(
      fc.property(numbers, numbers, numbers, fc.integer({ min: 1, max: 30 }), (one, two, three, limit) => {
        const pages = [page("local", one), page("work", two), page("club", three)];
        const blended = jsonOf(pages, limit);
        expect(jsonOf(pages.toReversed(), limit)).toEqual(blended);
        for (const { source, rows } of pages) {
          const own = blended.filter((json) => json.startsWith(`${source} `));
          expect(own).toEqual(rows.slice(0, own.length).map(({ json }) => json));
        }
        expect(blended).toHaveLength(Math.min(limit, one.length + two.length + three.length));
      }),
    );
  });
});
