import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { type Json, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inviteAt, keysOf, listAs, redeem } from "./peer-keys.ts";
import { type PrivateServices, startServices } from "./real-gateway.ts";
import { startStepCaProxy, type StepCaProxy } from "./step-ca-proxy.ts";

/** Sharp edge 3 on two replicas of one gateway, over one PostgreSQL, Valkey and step-ca: many keys for one invite. */
const KEYS = 20;
const scope = { resources: ["tasks"], include_personal: true };

let services: PrivateServices;
let proxy: StepCaProxy;
let replicas: readonly TestGateway[] = [];
let work: TestGateway;
let ada: TestUser;

beforeAll(async () => {
  services = await startServices({ stepCa: true });
  if (services.stepCa === undefined) throw new Error("no step-ca");
  proxy = await startStepCaProxy(services.stepCa);
  const addresses = { ...services.addresses, stepCa: proxy.files };
  work = await startGateway({ tier: "federated", name: "work", services: addresses });
  replicas = [work, await startGateway({ tier: "federated", name: "work", replicaOf: work })];
  ada = await work.addUser("Ada");
  await ada.api.json("POST", "/api/v1/tasks", { title: "from work" });
});
afterAll(async () => {
  for (const each of replicas) await each.stop();
  await proxy?.stop();
  await services?.stop();
});

test.each([1, 2, 3])(
  "sharp edge 3: 20 keys at once on two replicas: step-ca signs once, the others are 410, and the winner is served (%d)",
  async () => {
    const grants = "/api/v1/federation/grants";
    const { grant, invite } = await work.admin.api.json("POST", grants, { name: "home", subject: ada.id, scope });
    const keys = await Promise.all(Array.from({ length: KEYS }, () => createSigningRequest()));
    const before = proxy.signed.length;
    const invites = replicas.map((replica) => inviteAt(replica, invite));
    const answers = await Promise.all(keys.map((own, index) => redeem(invites[index % 2] ?? "", own)));

    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    const losers = answers.filter(({ status }) => status !== 200);
    expect(losers.map(({ status, json }) => [status, json.code, json.reason])).toEqual(
      losers.map(() => [410, "enrollment_refused", "used"]),
    );
    expect(losers).toHaveLength(KEYS - 1);
    expect(proxy.signed.length - before, "step-ca has signed").toBe(1);

    const index = answers.findIndex(({ status }) => status === 200);
    const [own, winner] = [keys[index], answers[index]];
    if (own === undefined || winner === undefined) throw new Error("nobody won");
    const peer = keysOf(winner, own);
    expect(proxy.signed.at(-1)).toContain(winner.json.certificate.trim());
    // Before it is used the winner's key, and no other, gets it again, at either replica.
    const again = await Promise.all(invites.map((each) => redeem(each, own)));
    expect(again.map(({ json }) => json.certificate)).toEqual([winner.json.certificate, winner.json.certificate]);
    for (const replica of replicas) expect(await listAs(peer, replica)).toBe(200);
    const { certificates }: Json = await work.admin.api.json("GET", `${grants}/${grant.id}`);
    expect(certificates).toMatchObject([{ serial: peer.serial, revoked_at: null, confirmed_at: expect.any(String) }]);
    expect(proxy.signed.length - before, "nor did it sign since").toBe(1);
  },
);
