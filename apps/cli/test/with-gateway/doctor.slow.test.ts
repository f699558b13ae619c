import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@mosaicstack/foundation";
import { enroll, startGateway, type TestGateway } from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Check } from "../../src/doctor/check.ts";
import { runCommand } from "../../src/program.ts";
import { temporaryFolder, testHost } from "../run-here.ts";

const DAY_MS = 86_400_000;

let [home, work]: TestGateway[] = [];
beforeAll(async () => {
  [home, work] = await Promise.all([
    startGateway({ tier: "federated", name: "home" }),
    startGateway({ tier: "federated", name: "work", tls: "auto" }),
  ]);
  const scope = { resources: ["tasks"], include_personal: true };
  // `work` presents a certificate of its own authority: invites pin it.
  await enroll(gateway(home).admin, gateway(work), { subject: gateway(work).admin.email, scope });
});
afterAll(async () => {
  await home?.stop();
  await work?.stop();
});

const gateway = (found: TestGateway | undefined): TestGateway => {
  if (found === undefined) throw new Error("it did not start");
  return found;
};

interface Examined {
  readonly status: number;
  readonly overall: string;
  readonly checks: readonly Omit<Check, "cause">[];
  /** The status or code of the check of a name. */
  readonly of: (name: string) => string | undefined;
}

interface ExamineOptions {
  readonly key?: string;
  /** What time the doctor's machine has. */
  readonly clock?: Clock;
  readonly caFile?: string;
  readonly config?: unknown;
}

async function examine(url: string | undefined, options: ExamineOptions = {}): Promise<Examined> {
  const folder = await temporaryFolder();
  if (options.config !== undefined) {
    await writeFile(join(folder, "mosaic.config.json"), JSON.stringify(options.config));
  }
  const { host, out } = testHost(folder, {
    variables: {
      ...(url === undefined ? {} : { MOSAIC_URL: url }),
      ...(options.key === undefined ? {} : { MOSAIC_API_KEY: options.key }),
      ...(options.caFile === undefined ? {} : { MOSAIC_CA_FILE: options.caFile }),
    },
  });
  const status = await runCommand(["gateway", "doctor", "--json"], { ...host, clock: options.clock ?? host.clock });
  const { data } = JSON.parse(out()) as { data: Omit<Examined, "status" | "of"> };
  const of = (name: string): string | undefined => {
    const found = data.checks.find((check) => check.name === name);
    return found?.code ?? found?.status;
  };
  return { status, ...data, of };
}

const inDays = (days: number): Clock => ({ now: () => new Date(Date.now() + days * DAY_MS) });

describe("a gateway that runs and has a peer", () => {
  test("is green, with its listener for peers, its authority, and its peer", async () => {
    const { url, admin } = gateway(home);
    const { status, overall, checks } = await examine(url, { key: admin.key });
    expect({ status, overall, bad: checks.filter((check) => check.code !== undefined) }).toEqual({
      status: 0,
      overall: "green",
      bad: [],
    });
    expect(checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["federation listener", "certificate authority", "federation", "peer work"]),
    );
    expect(checks.find(({ name }) => name === "certificate authority")?.detail).toMatch(
      /^Mosaic gateway CA .* until 20/u,
    );
  });

  test("says of itself what it can without a key", async () => {
    const { overall, of } = await examine(gateway(home).url);
    expect([overall, of("sign-in"), of("listener")]).toEqual(["green", "skipped", "ok"]);
  });

  test("is red with a key it refuses", async () => {
    const { status, of } = await examine(gateway(home).url, { key: "mosaic_wrong" });
    expect([status, of("sign-in")]).toEqual([4, "credential_refused"]);
  });

  test.each([
    [6.5, 8, "yellow", "peer_certificate_ending", "grant_certificate_ending"],
    [8, 4, "red", "peer_certificate_expired", "grant_certificate_expired"],
  ])(
    "in %f days says that its certificates end, and that the clocks differ",
    async (days, status, overall, peer, grant) => {
      const clock = inDays(days);
      const there = await examine(gateway(home).url, { key: gateway(home).admin.key, clock });
      expect([there.status, there.overall, there.of("peer work"), there.of("clock")]).toEqual([
        status,
        overall,
        peer,
        "clock_skew",
      ]);
      const root = await rootFile();
      const served = await examine(gateway(work).url, { key: gateway(work).admin.key, clock, caFile: root });
      expect(served.checks.map(({ code }) => code)).toContain(grant);
    },
  );

  test.each([
    [70, "certificate_ending", "ok"],
    [91, "certificate_expired", "ok"],
    [11 * 365, "certificate_expired", "authority_expired"],
    [10 * 365 - 20, "certificate_expired", "authority_ending"],
    [-1, "certificate_early", "certificate_early"],
  ])("in %i days says so of its own certificate and its authority", async (days, listener, authority) => {
    const { of } = await examine(gateway(home).url, { key: gateway(home).admin.key, clock: inDays(days) });
    expect([of("federation listener"), of("certificate authority")]).toEqual([listener, authority]);
  });
});

async function rootFile(): Promise<string> {
  const [row] = await gateway(work).store.query<{ pem: string }>(
    "select root_pem as pem from certificate_authorities",
    [],
  );
  const path = join(await temporaryFolder(), "root.pem");
  await writeFile(path, row?.pem ?? "");
  return path;
}

describe("a gateway over TLS", () => {
  test("whose authority is not known is red", async () => {
    const { status, of } = await examine(gateway(work).url);
    expect([status, of("listener")]).toEqual([7, "gateway_untrusted"]);
  });

  test("whose authority is known is green, its certificate included", async () => {
    const { status, of } = await examine(gateway(work).url, { caFile: await rootFile() });
    expect([status, of("listener"), of("certificate")]).toEqual([0, "ok", "ok"]);
  });
});

test("a gateway that its public address does not lead to", async () => {
  const { port } = new URL(gateway(home).url);
  const http = { port: Number(port), publicUrl: "http://127.0.0.1:9" };
  const { status, of, checks } = await examine(undefined, { config: { tier: "local", dataDirectory: "data", http } });
  expect([status, of("listener"), of("port for people")]).toEqual([7, "public_url_unreachable", undefined]);
  expect(checks.find(({ name }) => name === "listener")?.detail).toContain(`answers at http://127.0.0.1:${port}`);
});

// Last: these end the pair.
describe("a peer", () => {
  test("that revoked the grant", async () => {
    const { admin } = gateway(work);
    const { grants } = await admin.api.json("GET", "/api/v1/federation/grants");
    await admin.api.json("POST", `/api/v1/federation/grants/${grants[0].id}/revoke`);
    const { overall, of } = await examine(gateway(home).url, { key: gateway(home).admin.key });
    expect([overall, of("peer work")]).toEqual(["red", expect.stringMatching(/^peer_/u)]);
  });

  test("that is gone", async () => {
    await gateway(work).stop();
    const { status, of } = await examine(gateway(home).url, { key: gateway(home).admin.key });
    expect([status, of("peer work")]).toEqual([7, "peer_unreachable"]);
  });
});
