import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Problem } from "@mosaicstack/foundation";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Announcement, runGateway } from "../src/index.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mosaic-run-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface RunHere {
  readonly environment?: Record<string, string>;
  readonly flags?: Record<string, string | number>;
}

function run({ environment = {}, flags = {} }: RunHere = {}) {
  const controller = new AbortController();
  const log: string[] = [];
  let onReady: (announcement: Announcement) => void = () => undefined;
  const announced = new Promise<Announcement>((resolve) => {
    onReady = resolve;
  });
  const ended = runGateway({
    directory,
    environment,
    flags: { "http.port": 0, "log.level": "info", ...flags },
    onReady: (announcement) => onReady(announcement),
    logDestination: { write: (line) => void log.push(line) },
    signal: controller.signal,
  });
  // Rejects where the start does; resolves too early for nobody.
  const endedEarly = ended.then((): never => {
    throw new Error("it ended before it was ready");
  });
  const ready = Promise.race([announced, endedEarly]);
  return { ended, ready, log, stop: () => controller.abort() };
}

const embedded = (): RunHere => ({ flags: { dataDirectory: join(directory, "data") } });
const refusal = (start: RunHere): Promise<Problem> =>
  run(start).ready.then(
    () => {
      throw new Error("it started");
    },
    (error: unknown) => error as Problem,
  );

test("it serves until it is stopped, prints its code until there is an administrator, and keeps its data", async () => {
  const first = run(embedded());
  const { people, setupCode } = await first.ready;
  expect(setupCode).toMatch(/^[0-9a-z]{7}-/);
  expect(first.log.join("")).not.toContain(setupCode);

  expect((await refusal(embedded())).code).toBe("data_directory_locked");

  first.stop();
  await first.ended;
  await expect(fetch(`${people}/healthz`)).rejects.toThrow("fetch failed");

  const again = run(embedded());
  const next = await again.ready;
  expect(next.setupCode).not.toBe(setupCode);
  const setUp = (body: object) =>
    fetch(`${next.people}/api/v1/setup`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const claim = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
  expect((await setUp({ ...claim, code: setupCode })).status).toBe(403);
  expect((await setUp({ ...claim, code: next.setupCode })).status).toBe(201);
  again.stop();
  await again.ended;

  const third = run(embedded());
  expect(await third.ready).not.toHaveProperty("setupCode");
  third.stop();
  await third.ended;
});

test("a fault in the configuration stops the start, and says where", async () => {
  await writeFile(join(directory, "mosaic.config.json"), '{"http": {"prot": 1}}');
  const refused = await refusal({});
  await rm(join(directory, "mosaic.config.json"));
  expect(refused.code).toBe("config_invalid");
  expect(refused.message).toContain("http.prot");
});

const environment = {
  BETTER_AUTH_SECRET: "x".repeat(40),
  DATABASE_URL: "postgresql://mosaic:secret-password@127.0.0.1:1/mosaic",
};
const everythingOf = (refused: Problem): string => JSON.stringify(refused.details) + String(refused.stack);

test("tier federated without its services stops the start, and names each of them without its password", async () => {
  const more = { ...environment, VALKEY_URL: "redis://:other-password@127.0.0.1:2" };
  const refused = await refusal({ environment: more, flags: { tier: "federated" } });
  expect(refused.code).toBe("services_unavailable");
  expect(refused.details["faults"]).toEqual([
    expect.objectContaining({ service: "postgresql", host: "127.0.0.1", port: 1, code: "database_unreachable" }),
    expect.objectContaining({ service: "valkey", host: "127.0.0.1", port: 2, code: "valkey_unreachable" }),
  ]);
  expect(refused.message).toContain("postgresql at 127.0.0.1:1: connection refused");
  expect(refused.message).toContain("valkey at 127.0.0.1:2: connection refused");
  expect(everythingOf(refused)).not.toMatch(/(?:secret|other)-password/);
});

test("tier federated with another queue than BullMQ is refused before anything is asked", async () => {
  const flags = { tier: "federated", "queue.kind": "in-process" };
  const refused = await refusal({ environment: { ...environment, VALKEY_URL: "redis://127.0.0.1:2" }, flags });
  expect(refused.code).toBe("config_invalid");
  expect(refused.message).toMatch(/queue\.kind.*must be "bullmq"/);
});

test("tier standalone without its database stops the start, without the password", async () => {
  const refused = await refusal({ environment, flags: { tier: "standalone" } });
  expect(refused.code).toBe("database_unreachable");
  expect(everythingOf(refused)).not.toContain("secret-password");
});
