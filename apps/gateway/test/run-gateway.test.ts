import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runGateway } from "../src/index.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mosaic-run-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const flags = { "http.port": 0, "log.level": "info" };

interface Run {
  readonly exitCode: Promise<number>;
  readonly printed: Promise<string>;
  readonly log: string[];
  stop(): void;
}

function run(
  options: { readonly environment?: Record<string, string>; readonly flags?: Record<string, string | number> } = {},
): Run {
  const controller = new AbortController();
  const log: string[] = [];
  let print: (text: string) => void = () => undefined;
  const printed = new Promise<string>((resolve) => {
    print = resolve;
  });
  const exitCode = runGateway({
    directory,
    environment: {},
    ...options,
    flags: { ...flags, dataDirectory: join(directory, "data"), ...options.flags },
    print: (text) => print(text),
    logDestination: { write: (line) => void log.push(line) },
    signal: controller.signal,
  });
  return { exitCode, printed: Promise.race([printed, exitCode.then(() => "")]), log, stop: () => controller.abort() };
}

function stderr() {
  const lines: string[] = [];
  const spy = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  return { text: () => lines.join(""), restore: () => spy.mockRestore() };
}

test("a first start prints addresses, the setup code and the next command; the next prints a new code until it was used", async () => {
  const first = run();
  const greeting = await first.printed;
  const url = /people and agents {2}(http:\S+)/.exec(greeting)?.[1];
  const code = /setup code {2}(\S+)/.exec(greeting)?.[1];
  expect(greeting).toContain(`mosaic setup --url ${url}\n`);
  expect(code).toMatch(/^[0-9a-z]{7}-/);
  expect(first.log.join("")).not.toContain(code);

  // Locked while it runs.
  const errors = stderr();
  const second = run();
  expect(await second.exitCode).toBe(1);
  expect(errors.text()).toContain("data_directory_locked");
  errors.restore();

  first.stop();
  expect(await first.exitCode).toBe(0);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow("fetch failed");

  const again = run();
  const nextGreeting = await again.printed;
  const nextUrl = /people and agents {2}(http:\S+)/.exec(nextGreeting)?.[1];
  const nextCode = /setup code {2}(\S+)/.exec(nextGreeting)?.[1];
  expect(nextCode).not.toBe(code);
  const setUp = (body: object) =>
    fetch(`${nextUrl}/api/v1/setup`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const claim = { name: "Ada", email: "ada@example.org", password: "correct horse battery" };
  expect((await setUp({ ...claim, code })).status).toBe(403);
  expect((await setUp({ ...claim, code: nextCode })).status).toBe(201);
  again.stop();
  expect(await again.exitCode).toBe(0);

  const third = run();
  expect(await third.printed).not.toContain("setup");
  third.stop();
  expect(await third.exitCode).toBe(0);
});

test("a fault in the configuration exits with 3, and says where and what to do", async () => {
  await writeFile(join(directory, "mosaic.config.json"), '{"http": {"prot": 1}}');
  const errors = stderr();
  expect(await run().exitCode).toBe(3);
  errors.restore();
  await rm(join(directory, "mosaic.config.json"));
  expect(errors.text()).toMatch(/config_invalid[\s\S]*http\.prot/);
});

test("federated without embedded is refused with exit code 3", async () => {
  const errors = stderr();
  const environment = {
    BETTER_AUTH_SECRET: "x".repeat(40),
    DATABASE_URL: "postgresql://mosaic:secret-password@127.0.0.1:1/mosaic",
    VALKEY_URL: "redis://127.0.0.1:1",
  };
  const federated = runGateway({ directory, environment, flags: { ...flags, tier: "federated" } });
  expect(await federated).toBe(3);
  errors.restore();
  expect(errors.text()).toContain("tier_unavailable");
  expect(errors.text()).not.toContain("secret-password");
});

test("a database that is not there exits with 1 and without the password", async () => {
  const errors = stderr();
  const environment = {
    BETTER_AUTH_SECRET: "x".repeat(40),
    DATABASE_URL: "postgresql://mosaic:secret-password@127.0.0.1:1/mosaic",
  };
  expect(await runGateway({ directory, environment, flags: { ...flags, tier: "standalone" } })).toBe(1);
  errors.restore();
  expect(errors.text()).toContain("database_unreachable");
  expect(errors.text()).not.toContain("secret-password");
});
