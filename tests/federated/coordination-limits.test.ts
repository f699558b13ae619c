import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { setTimeout as wait } from "node:timers/promises";
import { inspect } from "node:util";
import {
  connectValkey,
  type Coordination,
  type CoordinationState,
  type ValkeyAddress,
} from "@mosaicstack/coordination";
import { createEnrollmentLimits } from "@mosaicstack/federation-server";
import { systemClock } from "@mosaicstack/foundation";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { kinds, limitsContract, newKey, taken } from "../coordination/limits-contract.ts";
import { type OwnServer, startOwnServer } from "./coordination-server.ts";

interface Replica extends Coordination {
  readonly faults: string[];
  readonly states: CoordinationState[];
}

const LEASE_MS = 800;

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

async function replica(address: Partial<ValkeyAddress> = {}): Promise<Replica> {
  const faults: string[] = [];
  const states: CoordinationState[] = [];
  const coordination = await connectValkey({
    address: { ...own.address, ...address },
    clock: systemClock,
    onFault: (name, error) => faults.push(`${name}: ${inspect(error)}`),
    onState: (state) => states.push(state),
    instance: `limits-${tests}`,
    leaseMs: LEASE_MS,
  });
  const made: Replica = { ...coordination, faults, states };
  replicas.push(made);
  return made;
}

describe("the contract, over a real server", () => {
  limitsContract(async () => (await replica()).limits, LEASE_MS);
});

describe("several replicas", () => {
  test("two share the rate: together they pass what one may", async () => {
    const [first, second] = [await replica(), await replica()];
    const key = newKey();
    const limit = { perMinute: 300, concurrent: "unlimited" } as const;
    const takes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? first : second).limits.take(key, limit)),
    );
    const passed = kinds(takes).filter((kind) => kind === "taken").length;
    expect(passed).toBeGreaterThanOrEqual(50);
    expect(passed).toBeLessThanOrEqual(52);
  });

  test("two share what is under way, and what one releases the other may take", async () => {
    const [first, second] = [await replica(), await replica()];
    const key = newKey();
    const limit = { perMinute: 6000, concurrent: 2 };
    const one = taken(await first.limits.take(key, limit));
    taken(await second.limits.take(key, limit));
    expect(kinds([await first.limits.take(key, limit), await second.limits.take(key, limit)])).toEqual([
      "concurrency",
      "concurrency",
    ]);
    one.release();
    await vi.waitFor(async () => taken(await second.limits.take(key, limit)), { timeout: 300 });
  });

  test("refused enrollments are counted together: an address has 100 a minute, whichever replica it comes to", async () => {
    const both = [await replica(), await replica()].map(({ limits }) => createEnrollmentLimits(limits));
    let passed = 0;
    for (let index = 0; index < 240; index += 1) {
      passed += await both[index % 2]!.count("192.0.2.7").then(
        () => 1,
        () => 0,
      );
    }
    expect(passed).toBeGreaterThanOrEqual(100);
    expect(passed).toBeLessThanOrEqual(104);
    await expect(both[0]!.count("192.0.2.8")).resolves.toBeTypeOf("function");
  });

  test("what a killed replica had under way is given back when its leases end", async () => {
    const script = fileURLToPath(new URL("./coordination-limits-replica.ts", import.meta.url));
    const key = newKey();
    const limit = { perMinute: 6000, concurrent: 2 };
    const leaseMs = 3000;
    const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      child.stdin.end(JSON.stringify({ address: own.address, instance: `limits-${tests}`, leaseMs, key, limit }));
      await once(child.stdout, "data");
      const takenAt = performance.now();
      const other = await replica();
      expect(kinds([await other.limits.take(key, limit)])).toEqual(["concurrency"]);
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      expect(kinds([await other.limits.take(key, limit)])).toEqual(["concurrency"]);
      await vi.waitFor(async () => taken(await other.limits.take(key, limit)), {
        timeout: leaseMs + 500,
        interval: 50,
      });
      expect(performance.now() - takenAt).toBeGreaterThan(leaseMs - 500);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test("every key is in the namespace of the gateway and goes by itself; another gateway's limits are apart", async () => {
    const both = [await replica(), await replica({ database: 1 })];
    const limit = { perMinute: 20, concurrent: 1 };
    for (const one of both) expect(kinds([await one.limits.take("grant:g", limit)])).toEqual(["taken"]);
    expect(kinds([await both[0]!.limits.take("grant:g", limit)])).toEqual(["concurrency"]);
    const keys = ((await own.run("keys", "*")) as string[]).filter((name) => name.endsWith("grant:g"));
    expect(keys.toSorted()).toEqual([
      `{mosaic:limits-${tests}}:limits:leases:grant:g`,
      `{mosaic:limits-${tests}}:limits:used:grant:g`,
    ]);
    for (const name of keys) expect(Number(await own.run("pttl", name))).toBeGreaterThan(0);
    await vi.waitFor(async () => {
      const left = (await own.run("keys", "*")) as string[];
      expect(left.filter((name) => name.endsWith("grant:g"))).toEqual([]);
    }, 5000);
  });

  test("a user with only the rights the remedy names is enough", async () => {
    const rights = "+@all -@admin -@dangerous +info ~{mosaic* &{mosaic*".split(" ");
    await own.run("acl", "setuser", "narrow", "reset", "on", ">a-password-of-narrow", ...rights);
    const narrow = await replica({ username: "narrow", password: "a-password-of-narrow" });
    const wide = await replica();
    const key = newKey();
    const limit = { perMinute: 600, concurrent: 1 };
    const one = taken(await narrow.limits.take(key, limit));
    expect(kinds([await wide.limits.take(key, limit)])).toEqual(["concurrency"]);
    one.forgive();
    await vi.waitFor(async () => taken(await wide.limits.take(key, limit)), { timeout: 300 });
    expect(narrow.faults).toEqual([]);
  });
});

describe("Valkey is away", () => {
  const limit = { perMinute: 60, concurrent: 2 };

  test("killed: limits of this process at once, degraded is said once, and the shared ones come back", async () => {
    const one = await replica();
    const key = newKey();
    taken(await one.limits.take(key, limit));
    const waiting = Array.from({ length: 20 }, () => one.limits.take(key, limit));
    await own.server.kill();
    try {
      expect(await Promise.all(waiting)).toHaveLength(20);
      const startedAt = performance.now();
      const takes = [];
      for (let index = 0; index < 12; index += 1) {
        const take = await one.limits.take(key, limit);
        if (take.kind === "taken") take.release();
        takes.push(take);
      }
      expect(performance.now() - startedAt).toBeLessThan(50);
      expect(kinds(takes).filter((kind) => kind === "taken").length).toBeLessThanOrEqual(10);
      expect(kinds(takes).at(-1)).toBe("rate");
      await vi.waitFor(() => expect(one.state().status).toBe("degraded"), { timeout: 1500 });
    } finally {
      await own.server.restart();
    }
    await vi.waitFor(() => expect(one.state().status).toBe("ok"), { timeout: 5000 });
    const other = await replica();
    const again = newKey();
    await vi.waitFor(
      async () => {
        const shared = newKey();
        taken(await one.limits.take(shared, { perMinute: 60, concurrent: 1 }));
        expect(kinds([await other.limits.take(shared, { perMinute: 60, concurrent: 1 })])).toEqual(["concurrency"]);
      },
      { timeout: 3000 },
    );
    expect(kinds([await one.limits.take(again, limit)])).toEqual(["taken"]);
    expect(one.states.map(({ status }) => status)).toEqual(["degraded", "ok"]);
    expect(one.faults).toEqual([]);
  });

  test("paused: a take waits 50 ms at most, the next ones not at all, and what it took after all is forgiven", async () => {
    const one = await replica();
    const key = newKey();
    const narrow = { perMinute: 60, concurrent: 1 };
    await one.limits.take(newKey(), limit);
    own.server.pause();
    try {
      const startedAt = performance.now();
      taken(await one.limits.take(key, narrow));
      const firstMs = performance.now() - startedAt;
      expect(firstMs).toBeGreaterThan(45);
      expect(firstMs).toBeLessThan(120);
      const nextAt = performance.now();
      for (let index = 0; index < 20; index += 1) await one.limits.take(newKey(), limit);
      expect(performance.now() - nextAt).toBeLessThan(30);
    } finally {
      own.server.resume();
    }
    const other = await replica();
    await vi.waitFor(
      async () => {
        const take = taken(await other.limits.take(key, narrow));
        expect(take.remaining).toBe(9);
      },
      { timeout: 1000, interval: 20 },
    );
    expect(one.faults).toEqual([]);
  });

  test("emptied, and its scripts with it: the limits begin anew, and nothing fails", async () => {
    const one = await replica();
    const key = newKey();
    const first = taken(await one.limits.take(key, limit));
    await own.run("flushall");
    await own.run("script", "flush");
    expect(taken(await one.limits.take(key, limit)).remaining).toBe(9);
    first.release();
    first.forgive();
    await wait(50);
    expect(one.faults).toEqual([]);
  });

  test("it may not run scripts: limits of this process, and that's reported once, without a secret", async () => {
    const password = "a-password-of-mute";
    const rights = "+@all -@admin -@dangerous +info ~{mosaic* &{mosaic*".split(" ");
    await own.run("acl", "setuser", "mute", "reset", "on", `>${password}`, ...rights);
    const one = await replica({ username: "mute", password });
    await own.run("acl", "setuser", "mute", "-@scripting");
    const key = newKey();
    const takes = [];
    for (let index = 0; index < 5; index += 1) takes.push(await one.limits.take(key, limit));
    expect(kinds(takes)).toEqual(["taken", "taken", "concurrency", "concurrency", "concurrency"]);
    expect(one.faults).toHaveLength(1);
    expect(one.faults[0]).toContain("limits: ");
    expect(one.faults[0]).not.toContain(password);
  });
});
