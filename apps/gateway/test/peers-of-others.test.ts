import { enroll, type Json, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const STATUS = "/api/v1/federation/status";
const OWN_TASKS = { resources: ["tasks"], include_personal: true };

let work: TestGateway;
let home: TestGateway;
let ada: TestUser;
let linus: TestUser;
/** What came into being with the peers, and no log may have. */
const secrets: string[] = [];

beforeAll(async () => {
  [work, home] = await Promise.all([
    startGateway({ tier: "federated", name: "work" }),
    startGateway({ tier: "federated", name: "home" }),
  ]);
  const grace = await work.addUser("Grace");
  [ada, linus] = [await home.addUser("Ada"), await home.addUser("Linus")];
  const join = async (user: TestUser, peer: string): Promise<string> => {
    const { grant, invite } = await enroll(user, work, { subject: grace.id, scope: OWN_TASKS, peer });
    secrets.push(/token=([^&]+)/u.exec(invite)?.[1] ?? "no token", user.key);
    return `/api/v1/federation/grants/${grant.id}`;
  };
  const renew = (user: TestUser, peer: string) => user.api.call("POST", `/api/v1/federation/peers/${peer}/renew`);

  await join(ada, "well");
  await work.admin.api.json("POST", `${await join(ada, "stalled")}/suspend`);
  expect((await renew(ada, "stalled")).json.code).toBe("grant_suspended");
  const over = await join(linus, "over");
  await work.admin.api.json("PATCH", over, { expires_at: new Date(Date.now() + 300).toISOString() });
  await vi.waitUntil(async () => (await work.admin.api.json("GET", over)).status === "expired", 10_000);
  expect((await renew(linus, "over")).json.code).toBe("grant_expired");
  await work.admin.api.json("POST", `${await join(home.admin, "own")}/suspend`);
  expect((await renew(home.admin, "own")).json.code).toBe("grant_suspended");
}, 120_000);
afterAll(async () => await Promise.all([work?.stop(), home?.stop()]));

test("an administrator is told how many peers of other users are degraded or expired, and nothing else of them", async () => {
  const status = await home.admin.api.json("GET", STATUS);
  expect(status.peers_of_others).toEqual({ degraded: 1, expired: 1 });
  expect(status.peers.map(({ name }: Json) => name)).toEqual(["own"]);
  const text = JSON.stringify(status);
  for (const theirs of ["stalled", "over", "well", ada.id, linus.id]) expect(text).not.toContain(theirs);
});

test("somebody who is no administrator is not told of peers of other users", async () => {
  for (const [user, own] of [
    [ada, ["stalled", "well"]],
    [linus, ["over"]],
    [await home.addUser("Eve"), []],
  ] as const) {
    const status = await user.api.json("GET", STATUS);
    expect(status).not.toHaveProperty("peers_of_others");
    expect(status.peers.map(({ name }: Json) => name)).toEqual(own);
  }
});

test("the log names each peer that needs to be looked at, with its state and why, and no secret", async () => {
  const told = home.log
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ msg }) => msg === "a peer needs to be looked at");
  const peers = await home.store.query<{ id: string; name: string; user: string; sealed: string; pem: string }>(
    `select id, name, user_id as user, sealed_key as sealed, certificate_pem as pem from federation_peers`,
    [],
  );
  const idOf = (wanted: string) => peers.find(({ name }) => name === wanted)?.id;
  const kept = ["peerId", "userId", "peer", "from", "to", "code"];
  expect(told.map((line) => kept.map((member) => line[member]))).toEqual([
    [idOf("stalled"), ada.id, "stalled", "active", "degraded", "grant_suspended"],
    [idOf("over"), linus.id, "over", "active", "expired", "grant_expired"],
    [idOf("own"), home.admin.id, "own", "active", "degraded", "grant_suspended"],
  ]);
  for (const line of told) {
    expect(
      Object.keys(line)
        .filter((member) => !kept.includes(member))
        .toSorted(),
    ).toEqual(["level", "msg", "time"]);
    const text = JSON.stringify(line);
    for (const secret of [...secrets, ...peers.flatMap(({ sealed, pem }) => [sealed, pem])]) {
      expect(text).not.toContain(secret);
    }
  }
});
