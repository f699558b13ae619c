import { expect, test } from "vitest";
import { shareReadings } from "../src/shared-readings.ts";

/** A read that ends when it is told to, and answers with how many there were. */
function setUp() {
  const open: { resolve(value: number): void; reject(error: Error): void }[] = [];
  let begun = 0;
  const ask = shareReadings(
    (key: string) => key,
    () => {
      begun += 1;
      return new Promise<number>((resolve, reject) => open.push({ resolve, reject }));
    },
  );
  return { ask, open, begun: () => begun };
}

test("who asks while a reading is under way gets the next one, and shares it with the others who do", async () => {
  const { ask, open, begun } = setUp();
  const first = ask("a");
  const second = ask("a");
  const third = ask("a");
  expect(begun()).toBe(1);
  open[0]?.resolve(1);
  expect(await first).toBe(1);
  await new Promise(setImmediate);
  expect(begun()).toBe(2);
  const fourth = ask("a");
  open[1]?.resolve(2);
  expect(await Promise.all([second, third])).toEqual([2, 2]);
  await new Promise(setImmediate);
  open[2]?.resolve(3);
  expect(await fourth).toBe(3);
  expect(begun()).toBe(3);
});

test("keys are read apart, and what has ended is not kept", async () => {
  const { ask, open, begun } = setUp();
  const both = [ask("a"), ask("b")];
  expect(begun()).toBe(2);
  for (const [index, reading] of open.entries()) reading.resolve(index);
  expect(await Promise.all(both)).toEqual([0, 1]);
  void ask("a");
  expect(begun()).toBe(3);
});

test("a reading that fails fails for those who share it, and the next begins anew", async () => {
  const { ask, open } = setUp();
  const first = ask("a");
  const second = ask("a");
  open[0]?.reject(new Error("away"));
  await expect(first).rejects.toThrow("away");
  await new Promise(setImmediate);
  open[1]?.resolve(2);
  expect(await second).toBe(2);
});
