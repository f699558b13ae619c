import { Problem } from "@mosaicstack/foundation";
import { describe, expect, test } from "vitest";
import { withDistinctKeys } from "../../src/import/distinct-keys.ts";
import type { ImportRow, Parsed } from "../../src/import/parsed-row.ts";
import { type RowResult, runImport } from "../../src/import/run-import.ts";
import { collect } from "./bytes.ts";

const quiet = { update: () => undefined, stop: () => undefined };
const problem = (status: number, code: string): Problem => new Problem(code, { status, title: code, remedy: "do" });

function parsed(
  key: string,
  more: Partial<ImportRow> & { keyIsMade?: true } = {},
  place = `place ${key}`,
): Parsed<ImportRow> {
  const { keyIsMade, ...row } = more;
  return {
    kind: "row",
    place,
    progress: 1,
    warnings: [],
    row: { key, input: { title: key }, ...row },
    ...(keyIsMade === true ? { keyIsMade } : {}),
  };
}

async function* each<Value>(values: readonly Value[]): AsyncGenerator<Value> {
  yield* values;
}

describe("keys", () => {
  const keys = async (
    rows: Parsed<ImportRow>[],
    defaults = { team: undefined, owner: undefined } as { team: string | undefined; owner: string | undefined },
  ) =>
    (await collect(withDistinctKeys(each(rows), defaults))).map((row) =>
      row.kind === "row" ? row.row.key : row.detail,
    );

  test("the second of two in the same team is a fault, and says where the first is", async () => {
    expect(await keys([parsed("a", { team: "T" }, "line 1"), parsed("a", { team: "T" }, "line 2")])).toEqual([
      "a",
      'The key "a" stands at line 1 already.',
    ]);
  });

  test("the same key in two teams, or of two owners, is two rows", async () => {
    expect(
      await keys([
        parsed("a", { team: "T" }),
        parsed("a", { team: "U" }),
        parsed("a", { owner: "x" }),
        parsed("a", { owner: "y" }),
        parsed("a"),
      ]),
    ).toHaveLength(5);
  });

  test("the owner of a team's row is no part of where it lives", async () => {
    expect(await keys([parsed("a", { team: "T", owner: "x" }), parsed("a", { team: "T", owner: "y" })])).toContain(
      'The key "a" stands at place a already.',
    );
  });

  test("a team that is given counts for rows without one, and for no other", async () => {
    const rows = await collect(
      withDistinctKeys(each([parsed("a"), parsed("b", { team: "U" })]), { team: "T", owner: "ada" }),
    );
    expect(rows).toMatchObject([{ row: { team: "T", owner: "ada" } }, { row: { team: "U", owner: "ada" } }]);
    expect(await keys([parsed("a"), parsed("a", { team: "T" })], { team: "T", owner: undefined })).toContain(
      'The key "a" stands at place a already.',
    );
  });

  test("keys made from content are numbered: two equal lines are two rows", async () => {
    const rows = [parsed("h", { keyIsMade: true }), parsed("h", { keyIsMade: true }), parsed("h", { keyIsMade: true })];
    expect(await keys(rows)).toEqual(["h", "h-2", "h-3"]);
    expect(await keys(rows)).toEqual(["h", "h-2", "h-3"]);
  });

  test("faults pass through", async () => {
    expect(await keys([{ kind: "fault", place: "line 1", detail: "broken", progress: 1 }])).toEqual(["broken"]);
  });
});

describe("an import", () => {
  const created = (rows: readonly unknown[]): RowResult[] => rows.map((_, index) => ({ index, outcome: "created" }));

  test("goes in batches of at most 200 rows", async () => {
    const sizes: number[] = [];
    const rows = Array.from({ length: 450 }, (_, index) => parsed(String(index)));
    const { summary, stopped } = await runImport(
      each(rows),
      async (batch) => {
        sizes.push(batch.length);
        return created(batch);
      },
      quiet,
    );
    expect(sizes).toEqual([200, 200, 50]);
    expect(summary).toMatchObject({ created: 450, failed: 0 });
    expect(stopped).toBeUndefined();
  });

  test("goes in batches of at most 4 MiB; a larger row goes alone", async () => {
    const sizes: number[] = [];
    const big = (key: string, mebibytes: number) =>
      parsed(key, { input: { body: "x".repeat(mebibytes * 1024 * 1024) } });
    const rows = [big("a", 3), big("b", 0.5), big("c", 3), big("d", 5), parsed("e")];
    await runImport(
      each(rows),
      async (batch) => {
        sizes.push(batch.length);
        return created(batch);
      },
      quiet,
    );
    expect(sizes).toEqual([2, 1, 1, 1]);
  });

  test("a row that fails, there or here, stops no other", async () => {
    const rows: Parsed<ImportRow>[] = [
      parsed("a"),
      { kind: "fault", place: "line 2", detail: "broken", progress: 2 },
      parsed("c"),
      parsed("d"),
    ];
    const { summary } = await runImport(
      each(rows),
      async () => [
        { index: 0, outcome: "updated" },
        { index: 1, outcome: "failed", error: { code: "unknown_team", detail: "no", remedy: "do" } },
        { index: 2, outcome: "unchanged" },
      ],
      quiet,
    );
    expect(summary).toEqual({
      created: 0,
      updated: 1,
      unchanged: 1,
      failed: 2,
      warnings: [],
      failures: [
        {
          place: "line 2",
          code: "row_unreadable",
          detail: "broken",
          remedy: "Correct it in the file and import the file again.",
        },
        { place: "place c", code: "unknown_team", detail: "no", remedy: "do" },
      ],
    });
  });

  test("a row that the gateway refuses the whole batch for is found, and the others get in", async () => {
    const rows = Array.from({ length: 20 }, (_, index) => parsed(String(index)));
    const { summary } = await runImport(
      each(rows),
      async (batch) => {
        if (batch.some(({ key }) => key === "13")) throw problem(400, "json_malformed");
        return created(batch);
      },
      quiet,
    );
    expect(summary).toMatchObject({
      created: 19,
      failed: 1,
      failures: [{ place: "place 13", code: "json_malformed" }],
    });
  });

  test("a gateway that stops answering ends it, and what got in is counted", async () => {
    const rows = Array.from({ length: 500 }, (_, index) => parsed(String(index)));
    let calls = 0;
    const { summary, stopped } = await runImport(
      each(rows),
      async (batch) => {
        calls += 1;
        if (calls === 2) throw problem(503, "gateway_unreachable");
        return created(batch);
      },
      quiet,
    );
    expect(summary).toMatchObject({ created: 200, failed: 0 });
    expect(stopped).toMatchObject({ code: "gateway_unreachable" });
    expect(calls).toBe(2);
  });

  test("a row without a result has failed: silence is not success", async () => {
    const { summary } = await runImport(
      each([parsed("a"), parsed("b")]),
      async () => [{ index: 0, outcome: "created" }],
      quiet,
    );
    expect(summary).toMatchObject({ created: 1, failed: 1 });
  });

  test("an input that breaks off ends it, and what was read gets no half", async () => {
    async function* broken(): AsyncGenerator<Parsed<ImportRow>> {
      yield parsed("a");
      throw problem(500, "file_unreadable");
    }
    expect((await runImport(broken(), async (batch) => created(batch), quiet)).stopped).toMatchObject({
      code: "file_unreadable",
    });
  });
});
