import { setTimeout as wait } from "node:timers/promises";
import type { Coordination, OnFault } from "@mosaicstack/coordination";
import { afterEach, expect, test, vi } from "vitest";

/** What every adapter does. `open` gives one replica, on a place nobody else uses. */
export function coordinationContract(open: (onFault: OnFault) => Promise<Coordination>): void {
  let opened: Coordination | undefined;
  const faults: (readonly [name: string, message: string])[] = [];

  const start = async (): Promise<Coordination> => {
    faults.length = 0;
    opened = await open((name, error) => faults.push([name, error instanceof Error ? error.message : String(error)]));
    return opened;
  };
  afterEach(() => opened?.close());

  test("runs a job at once and then every `everyMs`", async () => {
    const coordination = await start();
    const startedAt = performance.now();
    const runs: number[] = [];
    await coordination.schedule({
      name: "tick",
      everyMs: 100,
      work: async () => void runs.push(performance.now() - startedAt),
    });
    await vi.waitFor(() => expect(runs.length).toBeGreaterThanOrEqual(4), { timeout: 5000 });
    expect(runs[0]).toBeLessThan(1000);
    const meanMs = ((runs[3] ?? 0) - (runs[0] ?? 0)) / 3;
    expect(meanMs).toBeGreaterThan(50);
    expect(meanMs).toBeLessThan(300);
    expect(faults).toEqual([]);
  });

  test("never starts a run while another of the same job goes on", async () => {
    const coordination = await start();
    let now = 0;
    let most = 0;
    let runs = 0;
    const work = async (): Promise<void> => {
      now += 1;
      most = Math.max(most, now);
      await wait(90);
      now -= 1;
      runs += 1;
    };
    await coordination.schedule({ name: "slow", everyMs: 20, work });
    await vi.waitFor(() => expect(runs).toBeGreaterThanOrEqual(4), { timeout: 5000 });
    expect(most).toBe(1);
  });

  test("a job doesn't wait for a slow one of another name", async () => {
    const coordination = await start();
    let released: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (released = resolve));
    let runs = 0;
    await coordination.schedule({ name: "held", everyMs: 50, work: () => held });
    await coordination.schedule({ name: "free", everyMs: 50, work: async () => void (runs += 1) });
    await vi.waitFor(() => expect(runs).toBeGreaterThanOrEqual(3), { timeout: 5000 });
    released();
  });

  test("reports a run that fails, and runs the job again at its next time", async () => {
    const coordination = await start();
    let runs = 0;
    const work = (): Promise<void> => {
      runs += 1;
      if (runs === 1) throw new Error("thrown before the first await");
      return runs === 2 ? Promise.reject(new Error("rejected")) : Promise.resolve();
    };
    await coordination.schedule({ name: "failing", everyMs: 50, work });
    await vi.waitFor(() => expect(runs).toBeGreaterThanOrEqual(4), { timeout: 5000 });
    expect(faults).toEqual([
      ["failing", "thrown before the first await"],
      ["failing", "rejected"],
    ]);
  });

  test("what a run throws is reported as it is, with its stack and cause", async () => {
    const thrown = new Error("as it is", { cause: new Error("why") });
    const heard: unknown[] = [];
    opened = await open((_, error) => heard.push(error));
    await opened.schedule({ name: "failing", everyMs: 1000, work: () => Promise.reject(thrown) });
    await vi.waitFor(() => expect(heard[0]).toBe(thrown), { timeout: 5000 });
  });

  test("close waits for the run under way and starts none after it", async () => {
    const coordination = await start();
    let started = 0;
    let ended = 0;
    const work = async (): Promise<void> => {
      started += 1;
      await wait(150);
      ended += 1;
    };
    await coordination.schedule({ name: "last", everyMs: 20, work });
    await vi.waitFor(() => expect(started).toBe(1), { timeout: 5000 });
    await coordination.close();
    expect(ended).toBe(started);
    await wait(100);
    expect(started).toBe(ended);
    await coordination.close();
  });

  test.each(["", "With Space", "a:b", "-a"])("refuses the job name %j", async (name) => {
    const coordination = await start();
    await expect(coordination.schedule({ name, everyMs: 1000, work: async () => undefined })).rejects.toThrow(
      RangeError,
    );
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 31])("refuses to run every %d ms", async (everyMs) => {
    const coordination = await start();
    const job = { name: "odd", everyMs, work: async () => undefined };
    await expect(coordination.schedule(job)).rejects.toThrow(RangeError);
  });

  test("refuses a second job of a name", async () => {
    const coordination = await start();
    const job = { name: "once", everyMs: 1000, work: async () => undefined };
    await coordination.schedule(job);
    await expect(coordination.schedule(job)).rejects.toThrow(/scheduled already/);
  });

  test("a replica hears its own message once, before publish resolves, and on its channel only", async () => {
    const coordination = await start();
    const heard: string[] = [];
    coordination.subscribe("grants", (message) => heard.push(`first ${message}`));
    coordination.subscribe("grants", (message) => heard.push(`second ${message}`));
    coordination.subscribe("peers", (message) => heard.push(`peers ${message}`));
    await coordination.publish("grants", "g1 \u00e9");
    expect(heard).toEqual(["first g1 \u00e9", "second g1 \u00e9"]);
    await coordination.publish("nobody", "x");
    await wait(100);
    expect(heard).toHaveLength(2);
  });

  test("a listener that throws is reported and keeps the message from nobody else", async () => {
    const coordination = await start();
    const heard: string[] = [];
    coordination.subscribe("grants", () => {
      throw new Error("deaf");
    });
    coordination.subscribe("grants", (message) => heard.push(message));
    await coordination.publish("grants", "g1");
    expect(heard).toEqual(["g1"]);
    expect(faults).toEqual([["channel grants", "deaf"]]);
  });

  test("is ok, and after close hears nothing and schedules nothing", async () => {
    const coordination = await start();
    expect(coordination.state()).toEqual({ status: "ok" });
    const heard: string[] = [];
    coordination.subscribe("grants", (message) => heard.push(message));
    await coordination.close();
    await coordination.publish("grants", "late");
    await coordination.schedule({ name: "late", everyMs: 10, work: async () => void heard.push("ran") });
    await wait(50);
    expect(heard).toEqual([]);
  });
}
