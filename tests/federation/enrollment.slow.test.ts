import { createSigningRequest, formatInvite, type Invite, readInvite } from "@mosaicstack/federation-protocol";
import {
  type Json,
  movableClock,
  startGateway,
  startRelay,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

const SCOPE = { resources: ["tasks"], include_personal: true };
const PEERS = "/api/v1/federation/peers";

let home: TestGateway;
let work: TestGateway;
let grace: TestUser;
let user: TestUser;
const workClock = movableClock();
let count = 0;

beforeAll(async () => {
  [home, work] = await Promise.all([
    startGateway({ tier: "federated", name: "home" }),
    startGateway({
      tier: "federated",
      name: "work",
      inviteLifetimeMinutes: 10,
      clock: workClock,
    }),
  ]);
  grace = await work.addUser("Grace");
  await grace.api.json("POST", "/api/v1/tasks", { title: "of Grace" });
});
beforeEach(async () => {
  user = await home.addUser(`User ${count++}`);
});
afterEach(() => workClock.reset());
afterAll(async () => await Promise.all([home?.stop(), work?.stop()]));

async function makeGrant(gateway = work): Promise<{ readonly grant: Json; readonly invite: string }> {
  const input = { name: "home", subject: "Grace", scope: SCOPE };
  return await gateway.admin.api.json("POST", "/api/v1/federation/grants", input);
}

async function grantNow({ id }: Json, gateway = work): Promise<Json> {
  return await gateway.admin.api.json("GET", `/api/v1/federation/grants/${id}`);
}

function parts(text: string): Invite {
  const reading = readInvite(text);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return reading.invite;
}

const WRONG_PIN = "0123456789abcdef".repeat(4);

/** What is left of an attempt to add a peer. */
async function peersOf({ api }: TestUser): Promise<readonly [string, string][]> {
  const { peers } = await api.json("GET", PEERS);
  return peers.map(({ name, state }: Json) => [name, state]);
}

async function redeem(invite: string, csr: string) {
  return await work.api().call("POST", "/enroll", { protocol: 1, token: parts(invite).token, csr });
}

test("an invite makes an active peer, and its grant active with one certificate", async () => {
  const { grant, invite } = await makeGrant();
  expect(grant).toMatchObject({ status: "pending", certificates: [], activated_at: null });
  const peer = await user.api.json("POST", PEERS, { invite, name: "work" });
  const after = await grantNow(grant);
  expect(after).toMatchObject({
    status: "active",
    activated_at: expect.any(String),
    certificates: [{ revoked_at: null }],
  });
  expect(peer).toMatchObject({
    name: "work",
    state: "active",
    source: "federated:work",
    endpoint: work.federationUrl,
    grant_id: grant.id,
    not_after: after.certificates[0].not_after,
  });
});

describe("an invite that was used", () => {
  test("is refused to a second user, and nothing is left of the attempt", async () => {
    const { grant, invite } = await makeGrant();
    await user.api.json("POST", PEERS, { invite });
    const thief = await home.addUser(`Thief ${count}`);
    const { status, json } = await thief.api.call("POST", PEERS, { invite });
    expect({ status, code: json.code }).toEqual({ status: 410, code: "invite_used" });
    expect(await peersOf(thief)).toEqual([]);
    expect((await grantNow(grant)).certificates).toHaveLength(1);
  });

  test("is refused to another key, with 410", async () => {
    const { grant, invite } = await makeGrant();
    await user.api.json("POST", PEERS, { invite });
    const { status, json } = await redeem(invite, (await createSigningRequest()).csrPem);
    expect({ status, code: json.code }).toEqual({ status: 410, code: "enrollment_refused" });
    expect((await grantNow(grant)).certificates).toHaveLength(1);
  });

  test("gives the user who added it the peer there is", async () => {
    const { grant, invite } = await makeGrant();
    const first = await user.api.json("POST", PEERS, { invite, name: "work" });
    expect(await user.api.json("POST", PEERS, { invite, name: "work" })).toEqual(first);
    expect((await grantNow(grant)).certificates).toHaveLength(1);
  });
});

test("a key that got its certificate by one invite gets none by another", async () => {
  const { grant, invite } = await makeGrant();
  const { csrPem } = await createSigningRequest();
  expect((await redeem(invite, csrPem)).status).toBe(200);
  const other = await makeGrant();
  expect((await redeem(other.invite, csrPem)).json.code).toBe("signing_request_invalid");
  expect((await grantNow(grant)).certificates).toHaveLength(1);
  expect((await grantNow(other.grant)).certificates).toHaveLength(0);
});

test("20 keys that redeem one invite at once get one certificate, and the key that got it can ask again", async () => {
  const { grant, invite } = await makeGrant();
  const requests = await Promise.all(Array.from({ length: 20 }, () => createSigningRequest()));
  const answers = await Promise.all(requests.map(({ csrPem }) => redeem(invite, csrPem)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 410)).toHaveLength(19);
  expect((await grantNow(grant)).certificates).toHaveLength(1);
  const stored = await work.store.query("select serial from federation_certificates where grant_id = $1::uuid", [
    grant.id,
  ]);
  expect(stored).toHaveLength(1);

  const winner = answers.findIndex(({ status }) => status === 200);
  const again = await redeem(invite, requests[winner]!.csrPem);
  expect(again.json.certificate).toBe(answers[winner]!.json.certificate);
});

test("two users who add one invite at once: one has the peer, the other nothing", async () => {
  const { grant, invite } = await makeGrant();
  const users = [user, await home.addUser(`Rival ${count}`)];
  const answers = await Promise.all(users.map(({ api }) => api.call("POST", PEERS, { invite, name: "work" })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 410]));
  const left = await Promise.all(users.map(peersOf));
  expect(left.toSorted((a, b) => a.length - b.length)).toEqual([[], [["work", "active"]]]);
  expect((await grantNow(grant)).certificates).toHaveLength(1);
});

describe("an answer that is lost on the way", () => {
  test("leaves a pending peer, which the same invite finishes with the same key and the one certificate", async () => {
    const relay = await startRelay();
    try {
      relay.target(Number(new URL(work.url).port));
      const { grant, invite: direct } = await makeGrant();
      const invite = formatInvite({ ...parts(direct), enrollUrl: `http://127.0.0.1:${relay.port}/enroll` });
      relay.behave("swallow answers");
      const lost = await user.api.call("POST", PEERS, { invite, name: "work" });
      expect({ status: lost.status, code: lost.json.code }).toEqual({ status: 502, code: "peer_unreachable" });
      expect(await peersOf(user)).toEqual([["work", "pending"]]);
      const issued = (await grantNow(grant)).certificates;
      expect(issued).toHaveLength(1);
      expect((await user.api.call("GET", "/api/v1/tasks?source=federated:work")).json.code).toBe("peer_not_confirmed");

      relay.behave("pass");
      expect(await user.api.json("POST", PEERS, { invite })).toMatchObject({ name: "work", state: "active" });
      const used = (await grantNow(grant)).certificates;
      expect(used).toEqual([{ ...issued[0], confirmed_at: expect.any(String) as string }]);
      const { rows } = await user.api.json("GET", "/api/v1/tasks?source=federated:work");
      expect(rows.map(({ title }: Json) => title)).toEqual(["of Grace"]);
    } finally {
      await relay.stop();
    }
  });
});

describe("an invite that cannot be used", () => {
  const refusedWith410 = async (invite: string, code: string): Promise<void> => {
    const { status, json } = await user.api.call("POST", PEERS, { invite });
    expect({ status, code: json.code }).toEqual({ status: 410, code });
    expect(await peersOf(user)).toEqual([]);
  };

  test("has expired", async () => {
    const { grant, invite } = await makeGrant();
    workClock.advance(10 * 60_000 + 1_000);
    await refusedWith410(invite, "invite_expired");
    workClock.reset();
    expect(await grantNow(grant)).toMatchObject({ status: "pending", certificates: [] });
  });

  test("was replaced by a newer one, which works", async () => {
    const { grant, invite } = await makeGrant();
    const newer = await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/token`);
    await refusedWith410(invite, "invite_not_usable");
    expect((await user.api.json("POST", PEERS, { invite: newer.invite })).state).toBe("active");
  });

  test("is of a grant that was revoked meanwhile", async () => {
    const { grant, invite } = await makeGrant();
    await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/revoke`);
    await refusedWith410(invite, "invite_revoked");
    const token = await work.admin.api.call("POST", `/api/v1/federation/grants/${grant.id}/token`);
    expect(token.json.code).toBe("grant_transition_refused");
  });

  test("pins another authority: the peer never becomes active", async () => {
    const { invite } = await makeGrant();
    const wrong = formatInvite({ ...parts(invite), caFingerprint: WRONG_PIN });
    const { status, json } = await user.api.call("POST", PEERS, { invite: wrong, name: "work" });
    expect({ status, code: json.code }).toEqual({ status: 502, code: "ca_pin_mismatch" });
    expect((await peersOf(user)).filter(([, state]) => state === "active")).toEqual([]);
    expect((await user.api.json("GET", "/api/v1/tasks?source=all")).rows).toEqual([]);
  });

  test("is cut short", async () => {
    const { invite } = await makeGrant();
    const { status, json } = await user.api.call("POST", PEERS, { invite: invite.slice(0, -20) });
    expect({ status, code: json.code }).toEqual({ status: 400, code: "invite_malformed" });
    expect(await peersOf(user)).toEqual([]);
  });
});

describe("a people listener with a certificate of the gateway's own authority", () => {
  let secure: TestGateway;
  beforeAll(async () => {
    secure = await startGateway({ tier: "federated", name: "secure", tls: "auto" });
    const subject = await secure.addUser("Grace");
    await subject.api.json("POST", "/api/v1/tasks", { title: "over https" });
  });
  afterAll(async () => await secure?.stop());

  const enrollments = (): number => secure.log.filter((line) => line.includes('"path":"/enroll"')).length;

  test("is enrolled with over https, by the pin alone", async () => {
    const { invite } = await makeGrant(secure);
    expect(invite).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/enroll#/);
    expect(await user.api.json("POST", PEERS, { invite, name: "secure" })).toMatchObject({ state: "active" });
    const { rows, partial } = await user.api.json("GET", "/api/v1/tasks?source=all");
    expect(rows.map(({ title }: Json) => title)).toEqual(["over https"]);
    expect(partial).toBe(false);
  });

  test("gets no token from an invite with another pin, so that the right one still works", async () => {
    const { grant, invite } = await makeGrant(secure);
    const before = enrollments();
    const wrong = formatInvite({ ...parts(invite), caFingerprint: WRONG_PIN });
    const { json } = await user.api.call("POST", PEERS, { invite: wrong, name: "secure" });
    expect(json.code).toBe("ca_pin_mismatch");
    expect(enrollments()).toBe(before);
    expect(await grantNow(grant, secure)).toMatchObject({ status: "pending", certificates: [] });
    expect(await user.api.json("POST", PEERS, { invite })).toMatchObject({ name: "secure", state: "active" });
  });
});
