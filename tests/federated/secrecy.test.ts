import { readFile } from "node:fs/promises";
import { startGateway, type TestGateway } from "@mosaicstack/harness";
import { Redis } from "ioredis";
import { expect } from "vitest";
import { rowsOf, secrecySuite } from "../federation/secrecy/suite.ts";
import { runPostgresqlTool } from "./postgresql-tools.ts";
import { openedKey } from "./raw-sign.ts";
import { type PrivateServices, startReal, startServices } from "./real-gateway.ts";
import { optionsOf } from "./step-ca-authority.ts";
import { startStepCaProxy, type StepCaProxy } from "./step-ca-proxy.ts";

/** On PostgreSQL and Valkey, work's certificates by step-ca, which is down for a while. */
let services: PrivateServices;
let proxy: StepCaProxy;
const ofStepCa = { provisionerKey: [] as string[], provisionerPassword: [] as string[] };

secrecySuite(
  async () => {
    services = await startServices({ stepCa: true });
    const { stepCa } = services;
    if (stepCa === undefined) throw new Error("no step-ca");
    const { d = "" } = await openedKey(await optionsOf(stepCa));
    const sealedKey = await readFile(stepCa.gateway.provisionerKeyFile, "utf8");
    ofStepCa.provisionerKey.push(d, Buffer.from(d, "base64url").toString("hex"), sealedKey.trim());
    ofStepCa.provisionerPassword.push((await readFile(stepCa.gateway.provisionerPasswordFile, "utf8")).trim());
    proxy = await startStepCaProxy(stepCa);
    const addresses = { ...services.addresses, stepCa: proxy.files };
    const home = await startReal({ tier: "federated", name: "home" });
    const work = await startGateway({ tier: "federated", name: "work", services: addresses });
    return {
      home,
      work,
      stored: async (gateway) =>
        [await rowsOf(gateway), await dumpOf(gateway), ...(await valuesOf(gateway))].join("\n"),
      // Work has no authority of its own.
      keyCount: 3,
      stop: async () => {
        await Promise.all([home.stop(), work.stop()]);
        await proxy.stop();
        await services.stop();
      },
    };
  },
  {
    secrets: [
      ["the key that step-ca's tokens are signed with", () => ofStepCa.provisionerKey],
      ["the password of that key", () => ofStepCa.provisionerPassword],
      [
        "a one-time token for step-ca, or its signature",
        () => proxy.tokens.flatMap((token) => [token, token.slice(-86)]),
      ],
      ["the password of a service", () => [services.postgresql.password, services.valkey.password]],
    ],
    async misfortune(enrollAs) {
      const before = proxy.tokens.length;
      proxy.alter((asked) => ({ ...asked, ott: asked.ott.slice(0, -8) }));
      expect(await enrollAs("refused")).toBeGreaterThanOrEqual(500);
      expect(proxy.tokens.length).toBeGreaterThan(before);
      proxy.alter();
      await services.stepCa?.kill();
      expect(await enrollAs("unheard")).toBeGreaterThanOrEqual(500);
      await services.stepCa?.restart();
    },
  },
);

/** Its database as PostgreSQL's own tool writes it. */
async function dumpOf({ services: its }: TestGateway): Promise<string> {
  if (its === undefined) throw new Error("an embedded database");
  return await runPostgresqlTool("pg_dump", its.database, ["--format", "plain", its.database.name]);
}

/** Every key that it has in Valkey, and what is in it. */
async function valuesOf({ services: its }: TestGateway): Promise<string[]> {
  if (its === undefined) throw new Error("no Valkey");
  const { host, port, database: db, password } = its.valkey;
  const valkey = new Redis({ host, port, db, ...(password === undefined ? {} : { password }) });
  try {
    const readers: Record<string, (key: string) => Promise<unknown>> = {
      string: (key) => valkey.get(key),
      hash: (key) => valkey.hgetall(key),
      list: (key) => valkey.lrange(key, 0, -1),
      set: (key) => valkey.smembers(key),
      zset: (key) => valkey.zrange(key, "0", "-1"),
      stream: (key) => valkey.xrange(key, "-", "+"),
    };
    const keys = await valkey.keys("*");
    expect(keys.length).toBeGreaterThan(0);
    return await Promise.all(
      keys.map(async (key) => {
        const read = readers[await valkey.type(key)];
        return `${key} ${JSON.stringify(await read?.(key))}`;
      }),
    );
  } finally {
    valkey.disconnect();
  }
}
