import { systemClock } from "@mosaicstack/foundation";
import { openStepCaAuthority } from "@mosaicstack/certificate-authority";
import {
  enroll,
  type GatewayOptions,
  type Json,
  type Relay,
  startGateway,
  startRelay,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type PrivateServices, startServices } from "./real-gateway.ts";
import { optionsOf } from "./step-ca-authority.ts";

/** A gateway on PostgreSQL, Valkey and step-ca that is started while step-ca is down. */
const DAY_MS = 86_400_000;
/** No refusal to start may take longer, whatever is wrong. */
const WITHIN_MS = 6_000;
const scope = { resources: ["tasks"], include_personal: true };

let services: PrivateServices;
let relay: Relay;
/** The first start of work; stopped, and started again as often as a test wants it. */
let first: TestGateway;
let home: TestGateway;
let adaAtHome: TestUser;
let ada: TestUser;
const running: TestGateway[] = [];

beforeAll(async () => {
  [services, relay] = await Promise.all([startServices({ stepCa: true }), startRelay()]);
  first = await startGateway({ tier: "federated", name: "work", services: services.addresses, relay });
  ada = await first.addUser("Ada");
  await ada.api.json("POST", "/api/v1/tasks", { title: "from work" });
  home = await startGateway({ tier: "federated", name: "home" });
  adaAtHome = await home.addUser("Ada");
  await enroll(adaAtHome, first, { subject: ada.id, scope, peer: "work" });
  await first.stop();
});
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
  await services.stepCa?.restart();
});
afterAll(async () => {
  await Promise.all([first?.stop(), home?.stop()]);
  await Promise.all([relay?.stop(), services?.stop()]);
});

/** Starts work again: its database, its secret, its address for peers. */
async function restart(differences: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const gateway = await startGateway({ tier: "federated", name: "work", replicaOf: first, relay, ...differences });
  running.push(gateway);
  return gateway;
}

const warnings = ({ log }: TestGateway): Json[] =>
  log.map((line) => JSON.parse(line)).filter(({ level }) => level === 40);
const fromWork = async (peer = "work"): Promise<Json> => {
  const { status, json } = await adaAtHome.api.call("GET", `/api/v1/tasks?source=federated:${peer}`);
  return status === 200 ? json.rows.map(({ title }: Json) => title) : json.code;
};

test("started again with step-ca down: its peers are served, and the log says what is missing", async () => {
  await services.stepCa?.kill();
  const gateway = await restart();
  expect(await fromWork()).toEqual(["from work"]);
  expect(warnings(gateway)).toContainEqual(
    expect.objectContaining({ alarm: expect.objectContaining({ code: "ca_unreachable" }) }),
  );
  expect(warnings(gateway).map(({ msg }) => msg)).toContainEqual(expect.stringContaining("no CRL to compare"));
  expect(await gateway.admin.api.json("GET", "/api/v1/federation/authority")).toMatchObject({ state: "degraded" });
});

test("started again with step-ca down and its certificate due: that goes on, and the log says until when", async () => {
  await services.stepCa?.kill();
  const gateway = await restart({ clock: { now: () => new Date(systemClock.now().getTime() + 70 * DAY_MS) } });
  const said = warnings(gateway).find(({ msg }) => msg.includes("server certificate"));
  expect(said).toMatchObject({ code: "ca_unreachable", until: expect.any(String) });
  const [kept] = await gateway.store.query<{ until: Date }>(
    "select not_after as until from federation_server_certificates",
    [],
  );
  expect(said.msg).toBe(`the server certificate could not be renewed: the stored one is used, until ${said.until}`);
  expect(new Date(said.until)).toEqual(kept?.until);
});

test("sharp edge 8: what is revoked at step-ca alone, and restored here, is found as soon as step-ca answers", async () => {
  const before = await restart();
  const { grant } = await enroll(adaAtHome, before, { subject: ada.id, scope, peer: "restored" });
  expect(await fromWork("restored")).toEqual(["from work"]);
  const [row] = await before.store.query<{ serial: string }>(
    "select serial from federation_certificates where grant_id = $1",
    [grant.id],
  );
  await running.pop()?.stop();
  // As a backup from before the revocation has it: step-ca knows, and this database doesn't.
  if (services.stepCa === undefined) throw new Error("no step-ca");
  const authority = await openStepCaAuthority(await optionsOf(services.stepCa));
  await authority.revoke({ serial: row?.serial ?? "", reason: "privilegeWithdrawn", at: new Date() });
  await services.stepCa.kill();

  const gateway = await restart();
  const statusNow = async (): Promise<string> =>
    (await gateway.admin.api.json("GET", `/api/v1/federation/grants/${grant.id}`)).status;
  expect(warnings(gateway).map(({ msg }) => msg)).toContainEqual(expect.stringContaining("a restored backup"));
  expect(await statusNow()).toBe("active");
  await services.stepCa.restart();
  await expect.poll(statusNow, { timeout: 15_000 }).toBe("revoked");
  expect(await fromWork("restored")).not.toEqual(["from work"]);
  expect(await fromWork()).toEqual(["from work"]);
});

test("sharp edge 8: without a stored certificate, as a backup made by SETUP.md restores it, no start passes step-ca by", async () => {
  const before = await restart();
  const [kept] = await before.store.query<Json>("delete from federation_server_certificates returning id", []);
  expect(kept).toBeDefined();
  await running.pop()?.stop();
  await services.stepCa?.kill();
  const startedAt = performance.now();
  const refusal: Json = await restart().catch((error: unknown) => error);
  expect(performance.now() - startedAt).toBeLessThan(WITHIN_MS);
  expect(refusal).toMatchObject({
    code: "ca_unreachable",
    details: { service: "certificate-authority", host: "127.0.0.1", port: services.stepCa?.port },
  });
  await services.stepCa?.restart();
  await restart();
  expect(await fromWork()).toEqual(["from work"]);
});

test("two replicas that start at once without a stored certificate both serve, and either's start uses what is stored", async () => {
  const before = await restart();
  await before.store.query("delete from federation_server_certificates returning id", []);
  await running.pop()?.stop();
  const replicas = await Promise.all([restart(), startGateway({ tier: "federated", name: "work", replicaOf: first })]);
  running.push(replicas[1]);
  expect(await fromWork()).toEqual(["from work"]);
  expect(await replicas[0].store.query("select id from federation_server_certificates", [])).toHaveLength(1);
  await services.stepCa?.kill();
  await Promise.all(running.splice(0).map((each) => each.stop()));
  await restart();
  expect(await fromWork()).toEqual(["from work"]);
});
