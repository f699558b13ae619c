import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import {
  connectValkey,
  type Coordination,
  type CoordinationState,
  type OnFault,
  type ValkeyAddress,
} from "@mosaicstack/coordination";
import { systemClock } from "@mosaicstack/foundation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { coordinationContract } from "../coordination/coordination-contract.ts";
import { type OwnServer, startOwnServer } from "./coordination-server.ts";

interface Replica extends Coordination {
  readonly faults: string[];
  readonly states: CoordinationState[];
}

interface ReplicaOptions {
  readonly lockMs?: number;
  readonly onFault?: OnFault;
  readonly instance?: string;
  readonly address?: Partial<ValkeyAddress>;
}

let own: OwnServer;
let replicas: Replica[];
let tests = 0;
const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));

beforeAll(async () => {
  own = await startOwnServer();
});
afterAll(() => own.server.stop());
beforeEach(() => {
  replicas = [];
  tests += 1;
});
afterEach(async () => {
  await Promise.all(replicas.map((one) => one.close()));
  expect(rejections).toEqual([]);
});

/** One replica of this test's gateway, or of another one's. */
async function replica({ address, ...options }: ReplicaOptions = {}): Promise<Replica> {
  const faults: string[] = [];
  const states: CoordinationState[] = [];
  const coordination = await connectValkey({
    address: { ...own.address, ...address },
    clock: systemClock,
    onFault: (name, error) => faults.push(`${name}: ${inspect(error)}`),
    onState: (state) => states.push(state),
    instance: `test-${tests}`,
    ...options,
  });
  const made: Replica = { ...coordination, faults, states };
  replicas.push(made);
  return made;
}

const isOk = (one: Replica): void => expect(one.state()).toEqual({ status: "ok" });

describe("the contract, over a real server", () => {
  coordinationContract(async (onFault) => replica({ onFault }));
});

describe("several replicas", () => {
  test("two share one job: never two runs at once, and at most one run a time that is due", async () => {
    const both = [await replica(), await replica()];
    const runs: number[] = [0, 0];
    let now = 0;
    let most = 0;
    const startedAt = performance.now();
    await Promise.all(
      both.map((one, index) =>
        one.schedule({
          name: "tick",
          everyMs: 200,
          work: async () => {
            now += 1;
            most = Math.max(most, now);
            await wait(20);
            now -= 1;
            runs[index] = (runs[index] ?? 0) + 1;
          },
        }),
      ),
    );
    const total = (): number => (runs[0] ?? 0) + (runs[1] ?? 0);
    await vi.waitFor(() => expect(total()).toBeGreaterThanOrEqual(20), { timeout: 15_000 });
    expect(most).toBe(1);
    expect(total()).toBeLessThanOrEqual(Math.ceil((performance.now() - startedAt) / 200) + 1);
    expect(both.flatMap(({ faults }) => faults)).toEqual([]);
  });

  test("a run longer than its interval isn't joined by one on the other replica", async () => {
    const both = [await replica(), await replica()];
    let now = 0;
    let most = 0;
    let runs = 0;
    const work = async (): Promise<void> => {
      now += 1;
      most = Math.max(most, now);
      await wait(250);
      now -= 1;
      runs += 1;
    };
    for (const one of both) await one.schedule({ name: "slow", everyMs: 50, work });
    await vi.waitFor(() => expect(runs).toBeGreaterThanOrEqual(8), { timeout: 15_000 });
    expect(most).toBe(1);
  });

  test("a replica that joins or restarts doesn't make a job run before its time", async () => {
    let runs = 0;
    const job = { name: "hourly", everyMs: 3_600_000, work: async () => void (runs += 1) };
    const first = await replica();
    await first.schedule(job);
    await vi.waitFor(() => expect(runs).toBe(1), { timeout: 5000 });
    await first.close();
    for (let restart = 0; restart < 3; restart += 1) {
      const next = await replica();
      await next.schedule(job);
      await wait(300);
      await next.close();
    }
    expect(runs).toBe(1);
  });

  test("a replica killed in the middle of a run is replaced by the other", async () => {
    const script = fileURLToPath(new URL("./coordination-replica.ts", import.meta.url));
    const lockMs = 1500;
    const given = JSON.stringify({ address: own.address, instance: `test-${tests}`, lockMs });
    const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["pipe", "pipe", "inherit"] });
    let said = "";
    try {
      child.stdin.end(given);
      child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
      await vi.waitFor(() => expect(said).toContain("running"), { timeout: 10_000 });
      const other = await replica({ lockMs });
      let runs = 0;
      await other.schedule({ name: "long", everyMs: 60_000, work: async () => void (runs += 1) });
      await wait(2 * lockMs);
      expect(runs).toBe(0);
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      await vi.waitFor(() => expect(runs).toBe(1), { timeout: 3 * lockMs });
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("each hears what another publishes, once; another database or instance doesn't", async () => {
    const ours = [await replica(), await replica()];
    const strangers = [await replica({ address: { database: 1 } }), await replica({ instance: "other" })];
    const heard: string[] = [];
    for (const [index, one] of [...ours, ...strangers].entries()) {
      one.subscribe("grants", (message) => heard.push(`${index} ${message}`));
    }
    await wait(200);
    await ours[0]?.publish("grants", "g1");
    await vi.waitFor(() => expect(heard).toHaveLength(2), { timeout: 2000 });
    await wait(200);
    expect(heard.toSorted((a, b) => a.localeCompare(b))).toEqual(["0 g1", "1 g1"]);
  });

  test("every key is in the namespace of the gateway", async () => {
    const alone = { database: 2 };
    const one = await connectValkey({
      address: { ...own.address, ...alone },
      clock: systemClock,
      onFault: () => undefined,
      onState: () => undefined,
    });
    let runs = 0;
    await one.schedule({ name: "tick", everyMs: 100, work: async () => void (runs += 1) });
    await vi.waitFor(() => expect(runs).toBeGreaterThan(3), { timeout: 5000 });
    await one.close();
    const keys = (await own.run("eval", "redis.call('select', 2) return redis.call('keys', '*')", "0")) as string[];
    expect(keys.length).toBeGreaterThan(3);
    expect(keys.filter((key) => !key.startsWith("{mosaic}:"))).toEqual([]);
  });

  test("a user with only the rights the remedy names is enough", async () => {
    const rights = "+@all -@admin -@dangerous +info ~{mosaic* &{mosaic*".split(" ");
    await own.run("acl", "setuser", "narrow", "reset", "on", ">a-password-of-narrow", ...rights);
    const address = { username: "narrow", password: "a-password-of-narrow" };
    const both = [await replica({ address }), await replica({ address })];
    let runs = 0;
    const heard: string[] = [];
    both[1]?.subscribe("grants", (message) => heard.push(message));
    const job = { name: "tick", everyMs: 50, work: async () => void (runs += 1) };
    for (const one of both) await one.schedule(job);
    await vi.waitFor(() => expect(runs).toBeGreaterThan(3), { timeout: 5000 });
    await both[0]?.publish("grants", "g1");
    await vi.waitFor(() => expect(heard).toEqual(["g1"]), { timeout: 2000 });
    expect(both.flatMap(({ faults, states }) => [...faults, ...states])).toEqual([]);
  });
});

describe("Valkey goes away and comes back", () => {
  test.each(["with its data", "empty"])(
    "killed and restarted %s: degraded within a second, then jobs, messages and state come back",
    async (how) => {
      const [first, second] = [await replica({ lockMs: 1500 }), await replica({ lockMs: 1500 })];
      let runs = 0;
      const job = { name: "tick", everyMs: 100, work: async () => void (runs += 1) };
      for (const one of [first, second]) await one.schedule(job);
      const heard: string[] = [];
      second.subscribe("grants", (message) => heard.push(message));
      await vi.waitFor(() => expect(runs).toBeGreaterThan(2), { timeout: 5000 });
      if (how === "empty") await own.run("flushall");

      await own.server.kill();
      await vi.waitFor(() => expect(first.state().status).toBe("degraded"), { timeout: 1000, interval: 10 });
      await wait(1500);
      expect(first.state()).toMatchObject({ status: "degraded", since: expect.any(Date) as Date });
      const publishing = performance.now();
      await first.publish("grants", "lost");
      expect(performance.now() - publishing).toBeLessThan(50);
      await first.schedule({ name: "new", everyMs: 1000, work: async () => void heard.push("new ran") });
      second.subscribe("late", (message) => heard.push(`late ${message}`));
      await wait(2000);

      await own.server.restart();
      const before = runs;
      for (const one of [first, second]) await vi.waitFor(() => isOk(one), { timeout: 5000 });
      await vi.waitFor(() => expect(runs).toBeGreaterThan(before + 3), { timeout: 10_000 });
      await vi.waitFor(
        async () => {
          await first.publish("grants", "again");
          await first.publish("late", "again");
          expect(heard).toEqual(expect.arrayContaining(["again", "late again", "new ran"]));
        },
        { timeout: 5000, interval: 100 },
      );
      for (const { states, faults } of [first, second]) {
        expect(states.map(({ status }) => status)).toEqual(["degraded", "ok"]);
        expect(faults).toEqual([]);
      }
    },
  );

  test("paused: degraded within about a second, publish returns, then it goes on", async () => {
    const one = await replica();
    let runs = 0;
    await one.schedule({ name: "tick", everyMs: 100, work: async () => void (runs += 1) });
    await vi.waitFor(() => expect(runs).toBeGreaterThan(2), { timeout: 5000 });
    own.server.pause();
    try {
      const pausedAt = performance.now();
      // Sent before anybody knows.
      await one.publish("grants", "lost");
      expect(performance.now() - pausedAt).toBeLessThan(1000);
      await vi.waitFor(() => expect(one.state()).toMatchObject({ cause: "timed out" }), { timeout: 1500 });
      expect(performance.now() - pausedAt).toBeLessThan(1500);
      // Long enough for the connections to be made anew.
      await wait(6000);
    } finally {
      own.server.resume();
    }
    const before = runs;
    await vi.waitFor(() => isOk(one), { timeout: 5000 });
    await vi.waitFor(() => expect(runs).toBeGreaterThan(before + 3), { timeout: 10_000 });
    expect(one.states.map(({ status }) => status)).toEqual(["degraded", "ok"]);
    expect(one.faults).toEqual([]);
  });

  test("emptied while connected: its jobs are declared again", async () => {
    const one = await replica();
    let runs = 0;
    await one.schedule({ name: "tick", everyMs: 100, work: async () => void (runs += 1) });
    await vi.waitFor(() => expect(runs).toBeGreaterThan(2), { timeout: 5000 });
    await own.run("flushall");
    await wait(300);
    const before = runs;
    await vi.waitFor(() => expect(runs).toBeGreaterThan(before + 3), { timeout: 10_000 });
  });

  test("no memory left: degraded, since it takes no writes though it answers", async () => {
    const one = await replica();
    await own.run("config", "set", "maxmemory", "1");
    try {
      await vi.waitFor(() => expect(one.state()).toMatchObject({ cause: "out of memory" }), { timeout: 8000 });
    } finally {
      await own.run("config", "set", "maxmemory", "0");
    }
    await vi.waitFor(() => isOk(one), { timeout: 3000 });
  });

  test("its password is changed: degraded for that, and no password is told", async () => {
    const password = "a-password-that-was-right-once";
    const login = (text: string): Promise<unknown> =>
      own.run("acl", "setuser", "rotated", "reset", "on", `>${text}`, "+@all", "~*", "&*");
    await login(password);
    const one = await replica({ address: { username: "rotated", password } });
    await one.schedule({ name: "tick", everyMs: 50, work: async () => undefined });
    await login("another-one");
    await own.run("client", "kill", "user", "rotated");
    await vi.waitFor(() => expect(one.state().status).toBe("degraded"), { timeout: 2000 });
    await wait(1500);
    expect(inspect([one.states, one.faults, one.state()], { depth: 9 })).not.toContain(password);
    await login(password);
    await vi.waitFor(() => isOk(one), { timeout: 5000 });
  });

  test("close while it's away waits for the run under way, and doesn't hang", async () => {
    const one = await replica();
    let ended = false;
    let started = false;
    const work = async (): Promise<void> => {
      started = true;
      await wait(1200);
      ended = true;
    };
    await one.schedule({ name: "long", everyMs: 60_000, work });
    await vi.waitFor(() => expect(started).toBe(true), { timeout: 5000 });
    await own.server.kill();
    try {
      await vi.waitFor(() => expect(one.state().status).toBe("degraded"), { timeout: 2000 });
      const closingAt = performance.now();
      await one.close();
      expect(ended).toBe(true);
      expect(performance.now() - closingAt).toBeLessThan(3500);
    } finally {
      await own.server.restart();
    }
  });

  test("a process that closes its replica ends by itself, Valkey there or not", async () => {
    const script = fileURLToPath(new URL("./coordination-replica.ts", import.meta.url));
    const endsAfter = async (before: () => Promise<void>): Promise<number | null> => {
      const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["pipe", "pipe", "inherit"] });
      child.stdin.write(JSON.stringify({ address: own.address, instance: `test-${tests}`, lockMs: 1500, brief: true }));
      child.stdin.end();
      await once(child.stdout, "data");
      await before();
      const gone = once(child, "exit", { signal: AbortSignal.timeout(10_000) });
      child.kill("SIGTERM");
      try {
        const [status] = (await gone) as [number | null];
        return status;
      } finally {
        child.kill("SIGKILL");
      }
    };
    expect(await endsAfter(async () => undefined)).toBe(0);
    expect(await endsAfter(() => own.server.kill())).toBe(0);
    await own.server.restart();
  });
});
