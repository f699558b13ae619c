import { inspect } from "node:util";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { connectValkey, probeValkey, type ValkeyAddress } from "@mosaicstack/coordination";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { Problem, systemClock } from "@mosaicstack/foundation";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPrivateValkey } from "../../scripts/services/private-instances.ts";
import { type OwnServer, startOwnServer } from "./coordination-server.ts";

const WRONG = "a-wrong-password-nobody-may-see";
const TIMEOUT = { timeoutMs: 2000 };

/** What the probe and a connection refuse alike, with nothing secret in it. */
async function causeOf(address: ValkeyAddress): Promise<unknown> {
  const options = { address, clock: systemClock, onFault: () => undefined, onState: () => undefined };
  const causes: unknown[] = [];
  for (const attempt of [() => probeValkey(address, TIMEOUT), () => connectValkey(options)]) {
    const error: unknown = await attempt().catch((thrown: unknown) => thrown);
    if (!(error instanceof Problem)) throw new Error("no problem was thrown");
    const everything = `${inspect(error, { depth: 9, showHidden: true })}${JSON.stringify(error.details)}`;
    expect(everything).not.toContain(address.password ?? WRONG);
    expect(everything).not.toContain(WRONG);
    expect(error.code).toBe("valkey_unreachable");
    causes.push(error.details["cause"]);
  }
  expect(causes[0]).toBe(causes[1]);
  return causes[0];
}

describe("a server in the clear", () => {
  let own: OwnServer;
  beforeAll(async () => {
    own = await startOwnServer();
  });
  afterAll(() => own.server.stop());

  test("is found with its version, policy and latency", async () => {
    const { latencyMs, ...findings } = await probeValkey(own.address, TIMEOUT);
    expect(findings).toEqual({
      product: expect.stringMatching(/^(?:valkey|redis)$/) as string,
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
      evictionPolicy: "noeviction",
      tls: false,
    });
    expect(latencyMs).toBeGreaterThan(0);
    expect(latencyMs).toBeLessThan(500);
  });

  test("an eviction policy that forgets jobs is found", async () => {
    await own.run("config", "set", "maxmemory-policy", "allkeys-lru");
    await expect(probeValkey(own.address, TIMEOUT)).resolves.toMatchObject({ evictionPolicy: "allkeys-lru" });
    await own.run("config", "set", "maxmemory-policy", "noeviction");
  });

  test("a wrong password", async () => {
    expect(await causeOf({ ...own.address, password: WRONG })).toBe("wrong password");
  });
  test("an unknown user", async () => {
    expect(await causeOf({ ...own.address, username: "nobody-knows" })).toBe("wrong password");
  });
  test("no password where one is needed", async () => {
    const { password: _, ...address } = own.address;
    expect(await causeOf(address)).toBe("password required");
  });
  test("a user without rights", async () => {
    await own.run("acl", "setuser", "weak", "reset", "on", `>${WRONG}`, "+ping");
    expect(await causeOf({ ...own.address, username: "weak", password: WRONG })).toBe("not permitted");
  });
  test("a database it doesn't have", async () => {
    expect(await causeOf({ ...own.address, database: 99 })).toBe("no such database");
  });
  test("a replica", async () => {
    await own.run("replicaof", "127.0.0.1", "1");
    try {
      expect(await causeOf(own.address)).toBe("read-only replica");
    } finally {
      await own.run("replicaof", "no", "one");
    }
  });
  test("TLS where it speaks none", async () => {
    expect(await causeOf({ ...own.address, tls: true })).toBe("TLS refused");
  }, 20_000);
  test("paused, then killed", async () => {
    own.server.pause();
    try {
      expect(await causeOf(own.address)).toBe("timed out");
    } finally {
      own.server.resume();
    }
    await own.server.kill();
    expect(await causeOf(own.address)).toBe("connection refused");
    await own.server.restart();
  }, 20_000);
});

describe("a server with TLS", () => {
  let server: Awaited<ReturnType<typeof startPrivateValkey>>;
  let address: ValkeyAddress;
  let ca: string;
  beforeAll(async () => {
    const clock = systemClock;
    const authority = await openEmbeddedAuthority({ ...(await createEmbeddedAuthority({ clock })), clock });
    const { csrPem, privateKeyPem } = await createSigningRequest();
    const csr = Buffer.from(csrPem.replace(/-----[^-]+-----/g, ""), "base64");
    const notAfter = new Date(Date.now() + 3_600_000);
    const issued = await authority.issue({ kind: "server", csr, dnsNames: [], ipAddresses: ["127.0.0.1"], notAfter });
    server = await startPrivateValkey({ tls: { certificate: issued.certificatePem, key: privateKeyPem } });
    const { host, port, password } = server;
    address = { host, port, database: 0, password, tls: true };
    ca = authority.rootPem;
  });
  afterAll(() => server.stop());

  test("is used where its authority is known", async () => {
    await expect(probeValkey({ ...address, ca }, TIMEOUT)).resolves.toMatchObject({ tls: true });
    const heard: unknown[] = [];
    const coordination = await connectValkey({
      address: { ...address, ca },
      clock: systemClock,
      onFault: (...fault) => heard.push(fault),
      onState: (state) => heard.push(state),
    });
    const ran = new Promise<void>((resolve) => {
      void coordination.schedule({ name: "tick", everyMs: 50, work: async () => resolve() });
    });
    await ran;
    await coordination.close();
    expect(heard).toEqual([]);
  });
  test("an unknown authority", async () => {
    expect(await causeOf(address)).toBe("certificate not trusted");
  });
  test("another name than the certificate's", async () => {
    expect(await causeOf({ ...address, ca, host: "localhost" })).toBe("certificate not trusted");
  });
  test("no TLS where it's required", async () => {
    expect(await causeOf({ ...address, tls: false })).toBe("TLS required");
  });
});
