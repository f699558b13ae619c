import { once } from "node:events";
import { expect, test } from "vitest";
import { askAll } from "../src/fan-out.ts";

test("twenty sources under one deadline are no leak of listeners", async () => {
  const warnings: Error[] = [];
  const heard = (warning: Error): void => void warnings.push(warning);
  process.on("warning", heard);
  const questions = Array.from({ length: 20 }, (_, index) => ({
    source: `federated:${index}`,
    ask: async (signal: AbortSignal) => {
      await once(signal, "abort");
      return index;
    },
  }));
  const outcomes = await askAll(questions, 20, (asked) => Promise.all(asked));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", heard);
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array.from({ length: 20 }, () => "failed"));
  expect(warnings).toEqual([]);
});
