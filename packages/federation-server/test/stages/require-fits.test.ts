import { expect, test } from "vitest";
import { requireFits } from "../../src/stages/require-fits.ts";
import { pageThatFits } from "../../src/verbs/list.ts";
import { codeOf } from "./code-of.ts";

test("an answer is sent as it is, up to the last byte that may be", () => {
  expect(requireFits({ json: '"é"' }, 4).toString()).toBe('"é"');
});

test.each(["abcde", "éé x"])("response_too_large: %s", (json) => {
  expect(codeOf(() => requireFits({ json }, 4))).toBe("response_too_large");
});

/** Pages over rows of these sizes, and what was asked for on the way. */
function pages(sizes: readonly number[]) {
  const tries: number[] = [];
  const pageOf = async (rows: number) => {
    tries.push(rows);
    const page = sizes.slice(0, rows);
    return { rows: page.length, json: "x".repeat(page.reduce((sum, size) => sum + size, 0)) };
  };
  return { tries, pageOf };
}

test("a page that fits is asked for once", async () => {
  const { tries, pageOf } = pages([10, 10, 10]);
  expect((await pageThatFits(200, pageOf, 30)).rows).toBe(3);
  expect(tries).toEqual([200]);
});

test("a page that is too large is cut to rows that fit, in few tries", async () => {
  const { tries, pageOf } = pages(Array.from({ length: 1000 }, () => 17));
  const { rows, json } = await pageThatFits(1000, pageOf, 8000);
  expect(json.length).toBeLessThanOrEqual(8000);
  expect([rows, tries.length]).toEqual([423, 2]);
});

test("large rows at the front, which an average does not show, are cut to as well", async () => {
  const { pageOf } = pages([5000, 4000, ...Array.from({ length: 98 }, () => 1)]);
  expect((await pageThatFits(100, pageOf, 8000)).rows).toBe(1);
});

test("one row that does not fit is given back as it is, to be refused", async () => {
  const { pageOf } = pages([9000, 1]);
  expect(await pageThatFits(2, pageOf, 8000)).toMatchObject({ rows: 1, json: "x".repeat(9000) });
});
