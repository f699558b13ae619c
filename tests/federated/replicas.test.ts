import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { enroll, type Json, startGateway, type TestGateway } from "@mosaicstack/harness";
import { afterEach, expect, test } from "vitest";
import { startGatewayProcess } from "./gateway-process.ts";
import { type PrivateServices, startServices } from "./real-gateway.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).toReversed()) await each.stop();
});
const keep = <Kind extends { stop(): Promise<void> }>(each: Kind): Kind => {
  running.push(each);
  return each;
};

/** Two processes of one gateway, as far as each can tell: nothing but the services is shared. */
async function startPair(services: PrivateServices): Promise<readonly [TestGateway, TestGateway]> {
  const first = keep(await startGateway({ tier: "federated", name: "work", services: services.addresses }));
  return [first, keep(await startGateway({ tier: "federated", name: "work", replicaOf: first }))];
}

test("two processes start together on an empty database, and both serve", async () => {
  const services = keep(await startServices());
  const secret = randomBytes(32).toString("hex");
  const start = async () => keep(await startGatewayProcess({ services: services.addresses, secret }));
  const replicas = await Promise.all([start(), start()]);

  // Either code may have been the last one made; the newest works.
  const claim = { name: "Ada", email: "ada@work.test", password: "correct horse battery staple" };
  const claims = replicas.map(async ({ people, setupCode: code }) => {
    const answer = await request(people, "POST", "/api/v1/setup", { body: { ...claim, code } });
    return answer.api_key as string | undefined;
  });
  const key = (await Promise.all(claims)).find((each) => each !== undefined);

  for (const { people } of replicas) {
    const { id } = await request(people, "POST", "/api/v1/tasks", { key, body: { title: "a task" } });
    for (const other of replicas) {
      expect(await request(other.people, "GET", `/api/v1/tasks/${id}`, { key })).toMatchObject({ row: { id } });
    }
  }
});

async function request(
  origin: string,
  method: string,
  path: string,
  { key, body }: { readonly key?: string | undefined; readonly body?: object } = {},
): Promise<Json> {
  const answer = await fetch(new URL(path, origin), {
    method,
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as Json;
}

test("a peer that enrolled at one replica is answered by the other", async () => {
  const [first, second] = await startPair(keep(await startServices()));
  const ada = await first.addUser("Ada");
  await ada.api.json("POST", "/api/v1/tasks", { title: "from work" });
  // Its peers are sent to the second replica's listener, and its invites to the first.
  const home = keep(await startGateway({ tier: "federated", name: "home" }));
  const adaAtHome = await home.addUser("Ada");
  await enroll(adaAtHome, first, { subject: ada.id, scope: { resources: ["tasks"], include_personal: true } });
  await home.store.query("update federation_peers set endpoint = $1 returning id", [second.federationUrl]);
  const { rows } = await adaAtHome.api.json("GET", "/api/v1/tasks?source=federated:work");
  expect(rows).toMatchObject([{ title: "from work" }]);
});

test("a key withdrawn at one replica is refused by the other at once", async () => {
  const [first, second] = await startPair(keep(await startServices()));
  const ada = await first.addUser("Ada");
  const atSecond = second.api(ada.key);
  await atSecond.json("GET", "/api/v1/me");
  const { rows: keys } = await ada.api.json("GET", "/api/v1/api-keys");
  await ada.api.call("DELETE", `/api/v1/api-keys/${keys[0].id}`);
  await setTimeout(500);
  expect((await atSecond.call("GET", "/api/v1/me")).status).toBe(401);
});
