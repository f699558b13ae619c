import { describe, expect, test } from "vitest";
import { askInTurn, faultOf, type Tally } from "../../benchmarks/employees.ts";
import { runOpenLoop } from "../../benchmarks/open-loop.ts";
import { titleMark } from "../../benchmarks/seed.ts";
import { LIMIT } from "../../benchmarks/stage.ts";

const titlesOf = (name: string, count = LIMIT): string[] =>
  Array.from({ length: count }, (_, index) => `${titleMark(name)}Task ${index}`);

/** A list as a home gateway answers it. */
function page(titles: readonly string[], error?: string): string {
  const source = error === undefined ? { status: "ok" } : { status: "offline", error: { code: error } };
  return JSON.stringify({ rows: titles.map((title) => ({ title })), partial: error !== undefined, sources: [source] });
}

describe("an answer in the soak", () => {
  test("is right when it is a whole page of the employee's own rows", () => {
    expect(faultOf("Ada", page(titlesOf("Ada")))).toBeUndefined();
  });

  test("is a failure when one of its rows is another employee's", () => {
    const rows = [...titlesOf("Ada", LIMIT - 1), ...titlesOf("Ben", 1)];
    expect(faultOf("Ada", page(rows))).toBe("Ada was given a row of another: Ben:");
  });

  test("is a failure when one of its rows is nobody's at work", () => {
    expect(faultOf("Ada", page([...titlesOf("Ada", LIMIT - 1), "Task 7"]))).toMatch(/^Ada was given a row of another/u);
  });

  test("is a failure when it has no row, or one too few", () => {
    expect(faultOf("Cleo", page([]))).toBe(`Cleo was given 0 rows in place of ${LIMIT}`);
    expect(faultOf("Cleo", page(titlesOf("Cleo", LIMIT - 1)))).toMatch(/^Cleo was given 49 rows/u);
  });

  test("is a failure when it is partial", () => {
    expect(faultOf("Ben", page([], "peer_timeout"))).toBe("Ben was given a partial answer: offline peer_timeout");
    expect(faultOf("Ben", page(titlesOf("Ben"), "peer_timeout"))).toMatch(/^Ben was given a partial answer/u);
  });
});

describe("the soak's rate", () => {
  test("is spread evenly over the employees, and each wrong answer or refusal is counted, by employee and by kind", async () => {
    const names = ["Ada", "Ben", "Cleo"];
    const answers: Readonly<Record<string, () => Promise<string>>> = {
      Ada: async () => page(titlesOf("Ada")),
      Ben: async () => page(titlesOf("Ada")),
      Cleo: async () => {
        throw new Error("GET /api/v1/tasks answered 503");
      },
    };
    const tallies = names.map((name): Tally => ({ name, asked: 0, failed: 0 }));
    const clients = names.map((name) => ({ ask: async () => await answers[name]!(), close: () => undefined }));
    const met = await runOpenLoop(askInTurn(clients, tallies), { perSecond: 1000, durationMs: 90 }, () => true);
    const each = tallies[0]!.asked;
    expect(each).toBeGreaterThan(20);
    for (const { asked } of tallies) expect(Math.abs(asked - met.asked / 3)).toBeLessThan(1);
    const [, ben, cleo] = tallies;
    expect(tallies.map(({ failed }) => failed)).toEqual([0, ben!.asked, cleo!.asked]);
    expect([...met.failures]).toEqual([
      ["Ben was given a row of another: Ada:", ben!.asked],
      ["GET /api/v1/tasks answered 503", cleo!.asked],
    ]);
    expect(met.latenciesMs).toHaveLength(each);
  });
});
