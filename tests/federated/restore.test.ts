import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import {
  enroll,
  GENEROUS_LIMITS,
  type Json,
  type Relay,
  startGateway,
  startRelay,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { servingRecords } from "../federation/serving-records.ts";
import { runCreateRoles } from "./database-roles.ts";
import { askNext, inviteAt, joinBy, listAs, type PeerKeys, redeem, renew } from "./peer-keys.ts";
import { runPostgresqlTool } from "./postgresql-tools.ts";
import { type PrivateServices, startServices } from "./real-gateway.ts";

/**
 * Work on PostgreSQL and step-ca, put back to a backup from before a revocation with the commands of docs/federation/SETUP.md.
 * From the moment it starts, peers ask and ask.
 */
const SLOW_MS = 120_000;
const DATABASE = "mosaic";
const GRANTS = "/api/v1/federation/grants";
const scope = { resources: ["tasks"], include_personal: true };

let services: PrivateServices;
let directory: string;
/** Where peers reach work, whichever process it is. */
let relay: Relay;
let home: TestGateway;
let adaAtHome: TestUser;
let ada: TestUser;
/** The first start, on the database that is lost. */
let first: TestGateway;
/** On the restored one. */
let work: TestGateway;

interface Peer {
  readonly id: string;
  /** Each it had, the newest last. */
  readonly lineage: readonly PeerKeys[];
}
/** Revoked since the backup, and renewed before that. */
let revoked: Peer;
let renewed: Peer;
let bystander: Peer;
/** Not revoked, and renewed since the backup. */
let newer: Peer;
/** Revoked since, with its invite unused. */
let unused: { readonly id: string; readonly invite: string };
/** Of the home gateway; revoked since. */
let ofHome: Json;

beforeAll(async () => {
  [services, relay, directory] = await Promise.all([
    startServices({ stepCa: true }),
    startRelay(),
    mkdtemp(join(tmpdir(), "mosaic-restore-")),
  ]);
  await createDatabase(DATABASE);
  first = await startOn(DATABASE);
  ada = await first.addUser("Ada");
  await ada.api.json("POST", "/api/v1/tasks", { title: "from work" });
  home = await startGateway({ tier: "federated", name: "home" });
  adaAtHome = await home.addUser("Ada");

  [revoked, renewed] = [await newPeer(), await newPeer()];
  [bystander, newer] = [await newPeer(), await newPeer()];
  ofHome = (await enroll(adaAtHome, first, { subject: ada.id, scope, peer: "work" })).grant;
  expect((await fromWork()).rows).toMatchObject([{ title: "from work" }]);
  unused = await newGrant();
  await backUp();
  [renewed, newer] = [await renewedOf(renewed), await renewedOf(newer)];
  const ids = [revoked.id, renewed.id, ofHome.id, unused.id];
  for (const id of ids) await first.admin.api.json("POST", `${GRANTS}/${id}/revoke`);
  await stepCaKnows();
  await first.stop();
}, SLOW_MS);
afterAll(async () => {
  await Promise.all([first?.stop(), work?.stop(), home?.stop()]);
  await Promise.all([services?.stop(), relay?.stop(), rm(directory, { recursive: true, force: true })]);
});

/** As SETUP.md has it: database and roles by deploy/postgresql/create-roles.sh. */
async function createDatabase(name: string): Promise<void> {
  const { host, port, user, password } = services.postgresql;
  const { status, output } = await runCreateRoles({
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    CREATE_ROLES_DATABASE: name,
    // The tests' superuser has the name that the script would give to a role.
    CREATE_ROLES_OWNER_ROLE: "work_owner",
    CREATE_ROLES_RUNTIME_ROLE: "work",
    CREATE_ROLES_OWNER_PASSWORD: "an owner's password",
    CREATE_ROLES_RUNTIME_PASSWORD: "a gateway's password",
  });
  expect(status, output).toBe(0);
}

const dumpFile = (): string => join(directory, "mosaic.dump");

async function backUp(): Promise<void> {
  const words = ["--format", "custom", "--exclude-table-data", "federation_server_certificates"];
  await runPostgresqlTool("pg_dump", services.postgresql, [...words, "--file", dumpFile(), DATABASE]);
}

async function restoreInto(name: string): Promise<void> {
  const words = ["--clean", "--if-exists", "--exit-on-error", "--dbname", name];
  await runPostgresqlTool("pg_restore", services.postgresql, [...words, dumpFile()]);
}

async function startOn(name: string): Promise<TestGateway> {
  const { addresses } = services;
  const its = { ...addresses, database: { ...addresses.database, name } };
  const same = first === undefined ? {} : { replicaOf: first };
  return await startGateway({ tier: "federated", name: "work", relay, services: its, ...same });
}

/** What a database says, whoever has it open. */
async function rowsOf<Row extends pg.QueryResultRow>(name: string, statement: string): Promise<Row[]> {
  const url = new URL(services.postgresql.url);
  url.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return (await client.query<Row>(statement)).rows;
  } finally {
    await client.end();
  }
}

async function newGrant(): Promise<{ readonly id: string; readonly invite: string }> {
  const wanted = { name: "peer", subject: ada.id, scope, ...GENEROUS_LIMITS };
  const { grant, invite } = await first.admin.api.json("POST", GRANTS, wanted);
  return { id: grant.id, invite };
}

/** Where peers ask. */
const atWork = (): Pick<TestGateway, "federationUrl"> => ({ federationUrl: `https://127.0.0.1:${relay.port}` });

async function newPeer(): Promise<Peer> {
  const { id, invite } = await newGrant();
  const keys = await joinBy(invite);
  expect(await listAs(keys, atWork())).toBe(200);
  return { id, lineage: [keys] };
}

async function renewedOf({ id, lineage }: Peer): Promise<Peer> {
  const [last] = lineage.slice(-1);
  if (last === undefined) throw new Error("no certificate");
  const next = await renew(last, { ...atWork(), store: first.store });
  expect(await listAs(next, atWork())).toBe(200);
  return { id, lineage: [...lineage, next] };
}

async function stepCaKnows(): Promise<void> {
  const statement = "select count(*)::int as waiting from federation_revocations where told_at is null";
  const waiting = async () => (await first.store.query<{ waiting: number }>(statement, []))[0]?.waiting;
  await vi.waitUntil(async () => (await waiting()) === 0, { timeout: 30_000, interval: 100 });
}

const fromWork = (): Promise<Json> => adaAtHome.api.json("GET", "/api/v1/tasks?source=federated:work");

/** Asks with these keys again and again until told to stop. @returns each different outcome */
function keepAsking(keys: PeerKeys): { readonly outcomes: Set<number | string>; stop(): Promise<void> } {
  const over = new AbortController();
  const outcomes = new Set<number | string>();
  const asking = (async () => {
    while (!over.signal.aborted) {
      outcomes.add(await listAs(keys, atWork()));
      await setTimeout(5);
    }
  })();
  return {
    outcomes,
    stop: async () => {
      over.abort();
      await asking;
    },
  };
}

describe.each([
  ["beside the one that was lost", "mosaic_restored"],
  ["in the place of the one that was lost", DATABASE],
])("sharp edge 8: restored from before a revocation, into a database %s:", (_where, name) => {
  const outcomes = new Map<PeerKeys, Set<number | string>>();

  beforeAll(async () => {
    await work?.stop();
    if (name !== DATABASE) await createDatabase(name);
    await restoreInto(name);
    const grants = await rowsOf(
      name,
      "select status, count(*)::int as count from federation_grants group by 1 order by 1",
    );
    expect(grants, "the backup knows of no revocation").toEqual([
      { status: "pending", count: 1 },
      { status: "active", count: 5 },
    ]);
    const everyone = [revoked, renewed, bystander, newer].flatMap(({ lineage }) => lineage);
    const asking = everyone.map((keys) => [keys, keepAsking(keys)] as const);
    try {
      work = await startOn(name);
      const served = asking.find(([keys]) => bystander.lineage.includes(keys))?.[1].outcomes;
      await vi.waitUntil(() => served?.has(200), { timeout: 10_000, interval: 20 });
    } finally {
      for (const [keys, each] of asking) {
        await each.stop();
        outcomes.set(keys, each.outcomes);
      }
    }
  }, SLOW_MS);

  const outcomesOf = ({ lineage }: Peer) => lineage.map((keys) => [...(outcomes.get(keys) ?? [])]);
  const refusalsOf = ({ lineage }: Peer) =>
    lineage.map(({ serial }) => [
      ...new Set(servingRecords(work).flatMap((record) => (record.serial === serial ? [record.outcome] : []))),
    ]);

  test("its peer is refused at its very first connection, and at each after", () => {
    expect(outcomesOf(revoked)).toEqual([["cut"]]);
    expect(refusalsOf(revoked)).toEqual([["certificate_revoked"]]);
  });

  test("one that had renewed since the backup is refused with either certificate, and renews with none", async () => {
    expect(renewed.lineage).toHaveLength(2);
    expect(outcomesOf(renewed)).toEqual([["cut"], ["cut"]]);
    expect(refusalsOf(renewed)).toEqual([["certificate_revoked"], ["certificate_unknown"]]);
    for (const keys of renewed.lineage) {
      expect((await askNext(keys, { ...atWork(), store: work.store })).answer).toBe("cut");
    }
  });

  test("an invite that was revoked unused gets nothing", async () => {
    const { status, json } = await redeem(inviteAt(work, unused.invite), await createSigningRequest());
    expect([status, json.code, json.reason]).toEqual([410, "enrollment_refused", "revoked"]);
  });

  test("the grants are revoked again, as found on step-ca's CRL, and an administrator is told", async () => {
    for (const { id } of [revoked, renewed, ofHome, unused]) {
      const grant = await work.admin.api.json("GET", `${GRANTS}/${id}`);
      expect(grant.status).toBe("revoked");
      expect(grant.certificates.filter(({ revoked_at }: Json) => revoked_at === null)).toEqual([]);
    }
    const warned = work.log.filter((line) => JSON.parse(line).level >= 40).join("\n");
    for (const { id } of [revoked, renewed, ofHome, unused]) expect(warned).toContain(id);
    expect(warned).not.toContain(bystander.id);
  });

  test("who was not revoked is served on", async () => {
    expect(outcomesOf(bystander).flat()).toContain(200);
    expect(refusalsOf(bystander)).toEqual([["ok"]]);
    expect((await work.admin.api.json("GET", `${GRANTS}/${bystander.id}`)).status).toBe("active");
  });

  test("who renewed since the backup, and was not revoked, is unknown until invited anew", async () => {
    const [, last] = newer.lineage;
    expect(last === undefined ? [] : [...(outcomes.get(last) ?? [])]).toEqual(["cut"]);
    expect(refusalsOf(newer)[1]).toEqual(["certificate_unknown"]);
    const { invite } = await work.admin.api.json("POST", `${GRANTS}/${newer.id}/token`);
    expect(await listAs(await joinBy(inviteAt(work, invite)), atWork())).toBe(200);
  });

  test("a gateway whose grant was revoked has no row of work", async () => {
    const { rows, sources } = await fromWork();
    expect(rows).toEqual([]);
    expect(sources).toContainEqual(expect.objectContaining({ source: "federated:work", status: "offline" }));
  });
});
