import { inspect } from "node:util";
import { type Clock, newId, Problem, systemClock } from "@mosaicstack/foundation";
import { createSigningRequest, fingerprintOf, formatInvite, newToken } from "@mosaicstack/federation-protocol";
import {
  answerJson,
  createScriptedAuthority,
  openTestStore,
  readBody,
  type ScriptedPeer,
  startScriptedPeer,
} from "@mosaicstack/harness";
import { createSealer, schema, type Store } from "@mosaicstack/storage";
import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createPeers, type Peers } from "../src/index.ts";

const { federationPeers, users } = schema;
const sealer = createSealer({ secret: "a secret for the tests of peers, long enough" });
const ada = newId();
const bob = newId();

let store: Store;
let gateway: ScriptedPeer;
let peers: Peers;

beforeAll(async () => {
  store = await openTestStore();
  await store.db.insert(users).values([
    { id: ada, name: "Ada", email: "ada@example.org" },
    { id: bob, name: "Bob", email: "bob@example.org" },
  ]);
});
afterAll(() => store.close());

beforeEach(async () => {
  gateway = await startScriptedPeer();
  peers = createPeers({ store, sealer, clock: systemClock });
});
afterEach(async () => {
  await peers.close();
  await gateway.stop();
  await store.db.delete(federationPeers);
});

const rows = () => store.db.select().from(federationPeers);

async function refusal(work: Promise<unknown>): Promise<Problem> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof Problem)) throw new Error(`not refused: ${inspect(outcome)}`);
  return outcome;
}

describe("adding a peer", () => {
  test("gives an active peer, confirmed by a query with the certificate that was issued", async () => {
    const peer = await peers.add(ada, gateway.invite());
    expect(peer).toMatchObject({
      name: "localhost",
      state: "active",
      endpoint: gateway.endpoint,
      remoteGrantId: gateway.grantId,
    });
    expect(gateway.queries).toHaveLength(1);
    expect(gateway.queries[0]).toMatchObject({ verb: "capabilities" });
    expect([...gateway.tokens.values()]).toMatchObject([{ claimedBy: expect.any(String), consumed: true }]);
    expect(await peers.list(ada)).toEqual([peer]);
    expect(await peers.get(ada, "localhost")).toEqual(peer);
  });

  test("writes down that the certificate was confirmed by its first use, once", async () => {
    const invite = gateway.invite();
    const { id } = await peers.add(ada, invite);
    await peers.add(ada, invite);
    const { federationAuditLog: log } = schema;
    const { serial } = gateway.grant().certificates[0]!;
    const grantId = gateway.grantId;
    const entries = await store.db.select().from(log).where(eq(log.peerId, id)).orderBy(log.at, log.id);
    expect(entries).toMatchObject([
      { event: "enrollment", outcome: "ok", serial, grantId },
      { event: "certificate.confirmed", outcome: "ok", serial, grantId, subjectUserId: ada, actorUserId: ada },
    ]);
  });

  test("stores the key sealed to its row, and nothing of the token", async () => {
    const invite = gateway.invite();
    await peers.add(ada, invite);
    const [row] = await rows();
    expect(JSON.stringify(row)).not.toContain("PRIVATE KEY");
    expect(JSON.stringify(row)).not.toContain([...gateway.tokens.keys()][0]);
    const binding = { table: "federation_peers", column: "sealed_key", rowId: row!.id };
    expect(sealer.open(row!.sealedKey, binding)).toContain("PRIVATE KEY");
    expect(() => sealer.open(row!.sealedKey, { ...binding, rowId: newId() })).toThrow(Problem);
  });

  test("the sealed key is stored before the signing request is sent", async () => {
    let stored: unknown;
    gateway.onEnrollment = (_request, response) => {
      void rows().then((found) => {
        stored = found;
        response.destroy();
      });
    };
    expect((await refusal(peers.add(ada, gateway.invite()))).code).toBe("peer_unreachable");
    expect(stored).toMatchObject([
      { state: "pending", certificatePem: null, sealedKey: expect.stringMatching(/^v1\./) },
    ]);
  });

  test("a finished invite given again gives its peer, without asking the other side", async () => {
    const invite = gateway.invite();
    const peer = await peers.add(ada, invite);
    await gateway.stop();
    expect(await peers.add(ada, invite)).toEqual(peer);
  });

  test("two at once with one invite end as one peer", async () => {
    const invite = gateway.invite();
    const both = await Promise.all([peers.add(ada, invite), peers.add(ada, invite)]);
    expect(both[0].id).toBe(both[1].id);
    expect(await peers.list(ada)).toMatchObject([{ state: "active" }]);
  });

  test("of which one is refused because the other has just finished, ends as that one did", async () => {
    const invite = gateway.invite();
    gateway.onEnrollment = (_request, response) => {
      gateway.onEnrollment = undefined;
      void peers.add(ada, invite).then(() => answerJson(response, { code: "enrollment_refused" }, 410));
    };
    expect(await peers.add(ada, invite)).toMatchObject({ state: "active" });
    expect(await peers.list(ada)).toHaveLength(1);
  });

  test("names peers of one host apart, and takes the name it is given", async () => {
    await peers.add(ada, gateway.invite());
    gateway.newGrant();
    await peers.add(ada, gateway.invite());
    gateway.newGrant();
    await peers.add(ada, gateway.invite(), "work");
    gateway.newGrant();
    await peers.add(bob, gateway.invite());
    expect((await peers.list(ada)).map(({ name }) => name)).toEqual(["localhost", "localhost-2", "work"]);
    expect((await peers.list(bob)).map(({ name }) => name)).toEqual(["localhost"]);
  });

  test("over plain HTTP, to this machine only", async () => {
    const plain = await startScriptedPeer({ enrollmentServer: "plain" });
    try {
      expect(await peers.add(ada, plain.invite())).toMatchObject({ state: "active" });
    } finally {
      await plain.stop();
    }
  });
});

describe("adding a peer again after it was interrupted", () => {
  test("the answer was lost: the same key gets the same invite's certificate", async () => {
    const invite = gateway.invite();
    gateway.losesAnswer = true;
    expect((await refusal(peers.add(ada, invite))).code).toBe("peer_unreachable");
    gateway.losesAnswer = false;
    const [before] = await rows();
    const peer = await peers.add(ada, invite);
    const [after] = await rows();
    expect(peer.state).toBe("active");
    expect(after!.sealedKey).toBe(before!.sealedKey);
    expect(gateway.enrollments).toHaveLength(2);
    expect(JSON.parse(gateway.enrollments[0]!)).toHaveProperty("token", JSON.parse(gateway.enrollments[1]!).token);
  });

  test("the first query failed: the peer waits with its certificate, and only the query is made again", async () => {
    const invite = gateway.invite();
    gateway.onQuery = (_request, response) => response.destroy();
    expect((await refusal(peers.add(ada, invite))).code).toBe("peer_unreachable");
    expect(await rows()).toMatchObject([{ state: "pending", certificatePem: expect.any(String) }]);
    expect(await peers.sourcesOf(ada)).toEqual([]);
    expect((await refusal(peers.sourceOf(ada, "localhost"))).code).toBe("peer_not_confirmed");

    gateway.onQuery = undefined;
    expect(await peers.add(ada, invite)).toMatchObject({ state: "active" });
    expect(gateway.enrollments).toHaveLength(1);
    expect(await peers.sourcesOf(ada)).toHaveLength(1);
  });

  test("in another process, over the same database", async () => {
    const invite = gateway.invite();
    gateway.onQuery = (_request, response) => response.destroy();
    await refusal(peers.add(ada, invite));
    gateway.onQuery = undefined;
    const restarted = createPeers({ store, sealer, clock: systemClock });
    expect(await restarted.add(ada, invite)).toMatchObject({ state: "active" });
    await restarted.close();
  });

  test("an address that was mistyped is taken from the invite as given last", async () => {
    const invite = gateway.invite();
    const wrong = invite.replace(/localhost:\d+/, "localhost:1");
    expect((await refusal(peers.add(ada, wrong))).code).toBe("peer_unreachable");
    expect(await peers.add(ada, invite)).toMatchObject({ state: "active" });
    expect(await rows()).toMatchObject([{ enrollUrl: gateway.enrollUrl }]);
  });
});

describe("removing a peer", () => {
  test("needs nothing of the other side, and leaves no key", async () => {
    await peers.add(ada, gateway.invite());
    await gateway.stop();
    await peers.remove(ada, "localhost");
    expect(await rows()).toEqual([]);
    expect(await peers.sourcesOf(ada)).toEqual([]);
    expect((await refusal(peers.sourceOf(ada, "localhost"))).code).toBe("unknown_source");
    expect((await refusal(peers.remove(ada, "localhost"))).code).toBe("peer_not_found");
  });

  test("while it is being added ends the adding", async () => {
    gateway.onQuery = (_request, response) => {
      void peers.remove(ada, "localhost").then(() => response.destroy());
    };
    expect((await refusal(peers.add(ada, gateway.invite()))).code).toBe("peer_unreachable");
    expect(await rows()).toEqual([]);
  });
});

describe("leaks between users of this gateway", () => {
  test("another user's peer is not listed, not shown, not removed and not a source", async () => {
    await peers.add(ada, gateway.invite(), "work");
    expect(await peers.sourcesOf(ada)).toHaveLength(1);
    expect(await peers.list(bob)).toEqual([]);
    expect(await peers.sourcesOf(bob)).toEqual([]);
    const unknown = await refusal(peers.get(bob, "nobody"));
    expect((await refusal(peers.get(bob, "work"))).details).toEqual(unknown.details);
    expect((await refusal(peers.remove(bob, "work"))).details).toEqual(unknown.details);
    const noSource = await refusal(peers.sourceOf(bob, "nobody"));
    expect((await refusal(peers.sourceOf(bob, "work"))).details).toEqual(noSource.details);
    expect(await peers.get(ada, "work")).toMatchObject({ state: "active" });
  });

  test("a name that two users have leads each to their own peer", async () => {
    const other = await startScriptedPeer();
    try {
      await peers.add(ada, gateway.invite(), "work");
      await peers.add(bob, other.invite(), "work");
      await (await peers.sourceOf(bob, "work")).capabilities(AbortSignal.timeout(5000));
      expect(gateway.queries).toHaveLength(1);
      expect(other.queries).toHaveLength(2);
    } finally {
      await other.stop();
    }
  });

  test("an invite begun by one user is not another's to go on with", async () => {
    const invite = gateway.invite();
    gateway.onQuery = (_request, response) => response.destroy();
    await refusal(peers.add(ada, invite));
    gateway.onQuery = undefined;
    expect((await refusal(peers.add(bob, invite))).code).toBe("invite_not_usable");
    expect(await peers.list(bob)).toEqual([]);
    expect(await peers.add(ada, invite)).toMatchObject({ state: "active" });
  });
});

describe("an enrollment is refused", () => {
  /** Nothing of it may be used: no source, no certificate in the row. */
  async function expectRefused(invite: string, code: string, detail = /./): Promise<void> {
    const problem = await refusal(peers.add(ada, invite));
    expect(problem.code).toBe(code);
    expect(problem.details.detail).toMatch(detail);
    for (const row of await rows())
      expect(row).toMatchObject({ state: "pending", certificatePem: null, endpoint: null });
    expect(gateway.queries).toEqual([]);
  }

  test("when the invite was used by another key, and nothing is left of it", async () => {
    const invite = gateway.invite();
    const token = [...gateway.tokens.values()][0]!;
    token.claimedBy = "another key";
    await expectRefused(invite, "invite_not_usable");
    expect(await rows()).toEqual([]);
  });

  test("when the root it answers with is not the pinned one", async () => {
    const other = await createScriptedAuthority();
    gateway.alterAnswer = (answer) => ({ ...answer, root: other.rootPem });
    await expectRefused(gateway.invite(), "ca_pin_mismatch");
  });

  test("when the root it answers with cannot be read", async () => {
    gateway.alterAnswer = (answer) => ({
      ...answer,
      root: "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----",
    });
    await expectRefused(gateway.invite(), "peer_incompatible", /root/);
  });

  test("when the certificate is of another CA", async () => {
    const other = await createScriptedAuthority();
    const certificate = await refusedCertificate(other);
    gateway.alterAnswer = (answer) => ({ ...answer, certificate });
    await expectRefused(gateway.invite(), "peer_incompatible", /not signed by the pinned root/);
  });

  test("when the certificate is for another key", async () => {
    const certificate = await refusedCertificate(gateway.authority);
    gateway.alterAnswer = (answer) => ({ ...answer, certificate });
    await expectRefused(gateway.invite(), "peer_incompatible", /another key/);
  });

  test("when the certificate names another grant than the answer", async () => {
    gateway.certificateWishes = { grantId: newId() };
    await expectRefused(gateway.invite(), "peer_incompatible", /another grant/);
  });

  test("when the certificate names another subject than the answer", async () => {
    gateway.certificateWishes = { subjectUserId: newId() };
    await expectRefused(gateway.invite(), "peer_incompatible", /another subject/);
  });

  test("when the certificate is good for a server too", async () => {
    gateway.certificateWishes = { usages: ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"] };
    await expectRefused(gateway.invite(), "peer_incompatible", /client authentication alone/);
  });

  test("when the certificate lives longer than any gateway may issue", async () => {
    gateway.certificateWishes = { notAfter: new Date(Date.now() + 400 * 86_400_000) };
    await expectRefused(gateway.invite(), "peer_incompatible", /longer/);
  });

  test("when the certificate has expired already", async () => {
    gateway.certificateWishes = { notAfter: new Date(Date.now() - 1000) };
    await expectRefused(gateway.invite(), "peer_incompatible", /expired/);
  });

  test.each([
    ["plain HTTP", "http://localhost:8080"],
    ["a path", "https://localhost:8080/elsewhere"],
    ["a password", "https://user:secret@localhost:8080"],
    ["no address", "localhost"],
  ])("when the address for queries has %s", async (_what, endpoint) => {
    gateway.alterAnswer = (answer) => ({ ...answer, endpoint });
    await expectRefused(gateway.invite(), "peer_incompatible", /https:/);
  });

  test("when this gateway's clock is three hours behind: clock_skew, with the measure; and is finished once it is right", async () => {
    const invite = gateway.invite();
    let offsetMs = -3 * 3_600_000;
    const clock: Clock = { now: () => new Date(Date.now() + offsetMs) };
    const skewed = createPeers({ store, sealer, clock });
    const problem = await refusal(skewed.add(ada, invite));
    expect(problem.code).toBe("clock_skew");
    expect(problem.details.detail).toBe("This gateway's clock is 3 h behind the peer's.");
    offsetMs = 0;
    expect(await skewed.add(ada, invite)).toMatchObject({ state: "active" });
    await skewed.close();
  });

  test("when this gateway's clock is weeks ahead", async () => {
    const ahead = createPeers({ store, sealer, clock: { now: () => new Date(Date.now() + 20 * 86_400_000) } });
    const problem = await refusal(ahead.add(ada, gateway.invite()));
    expect(problem).toMatchObject({
      code: "clock_skew",
      message: "This gateway's clock is 20 days ahead of the peer's.",
    });
    await ahead.close();
  });

  test("when the first query is answered for another grant", async () => {
    gateway.onQuery = (_request, response) =>
      answerJson(response, {
        protocol: 1,
        grant: { id: newId(), name: "other", expires_at: null },
        subject: { id: newId(), name: "Eve" },
        resources: [],
        max_rows_per_query: 1,
        requests_per_minute: 1200,
        concurrent_requests: 16,
        include_personal: true,
        include_teams: "all",
      });
    const problem = await refusal(peers.add(ada, gateway.invite()));
    expect(problem).toMatchObject({ code: "peer_incompatible", message: "It answered for another grant." });
    expect(await rows()).toMatchObject([{ state: "pending" }]);
  });

  test("when a root that is not pinned stands behind the pinned one, only the pinned one is kept", async () => {
    const other = await createScriptedAuthority();
    gateway.alterAnswer = (answer) => ({ ...answer, root: answer.root + other.rootPem });
    await peers.add(ada, gateway.invite());
    const [row] = await rows();
    expect(row!.rootPem!.match(/BEGIN/g)).toHaveLength(1);
    expect(fingerprintOf(row!.rootPem!)).toBe(fingerprintOf(gateway.authority.rootPem));
  });

  test.each([
    ["not a URL", "hello"],
    ["over plain HTTP to another machine", `http://work.example.org/enroll#token=${newToken()}&ca=${"a".repeat(64)}`],
    ["without a token", `https://work.example.org/enroll#ca=${"a".repeat(64)}`],
    ["cut short", `https://work.example.org/enroll#token=${newToken()}&ca=abc`],
  ])("when the invite is %s", async (_what, invite) => {
    const problem = await refusal(peers.add(ada, invite));
    expect(problem.code).toBe("invite_malformed");
    expect(await rows()).toEqual([]);
  });

  test("when the name cannot be a peer's", async () => {
    for (const name of ["Work", "a b", "-work", "", "x".repeat(64)]) {
      expect((await refusal(peers.add(ada, gateway.invite(), name))).code).toBe("peer_name_invalid");
    }
    expect(gateway.enrollments).toEqual([]);
  });

  test("when the name is taken", async () => {
    await peers.add(ada, gateway.invite(), "work");
    expect((await refusal(peers.add(ada, gateway.invite(), "work"))).code).toBe("peer_name_taken");
    expect(gateway.enrollments).toHaveLength(1);
  });

  test("when the user has as many peers as one may have", async () => {
    const pending = Array.from({ length: 50 }, (_, index) => ({
      id: newId(),
      userId: ada,
      name: `p${index}`,
      enrollUrl: gateway.enrollUrl,
      tokenHash: `t${index}`,
      caFingerprint: "x",
      sealedKey: "x",
      createdAt: new Date(),
      updatedAt: new Date(),
    }));
    await store.db.insert(federationPeers).values(pending);
    expect((await refusal(peers.add(ada, gateway.invite()))).code).toBe("too_many_peers");
  });

  /** A certificate for a key that is not ours, as an authority issues it. */
  async function refusedCertificate(authority: typeof gateway.authority): Promise<string> {
    const { csrPem } = await createSigningRequest();
    return await authority.client(csrPem, { grantId: gateway.grantId, subjectUserId: gateway.subjectUserId });
  }
});

describe("a peer in another state", () => {
  test.each([
    ["revoked", { state: "revoked" as const }, "peer_revoked"],
    ["expired", { state: "expired" as const }, "peer_expired"],
    ["past its certificate's life", { notAfter: new Date(Date.now() - 1000) }, "peer_expired"],
  ])("that is %s is a source that refuses without asking", async (_what, change, code) => {
    await peers.add(ada, gateway.invite());
    await store.db.update(federationPeers).set(change).where(eq(federationPeers.userId, ada));
    const restarted = createPeers({ store, sealer, clock: systemClock });
    const [source] = await restarted.sourcesOf(ada);
    expect((await refusal(source!.capabilities(AbortSignal.timeout(1000)))).code).toBe(code);
    expect(gateway.queries).toHaveLength(1);
    await restarted.close();
  });

  test("a change made by another replica is seen within seconds", async () => {
    let nowMs = Date.now();
    const clocked = createPeers({ store, sealer, clock: { now: () => new Date(nowMs) } });
    expect(await clocked.sourcesOf(ada)).toEqual([]);
    await peers.add(ada, gateway.invite());
    expect(await clocked.sourcesOf(ada)).toEqual([]);
    nowMs += 5_000;
    expect(await clocked.sourcesOf(ada)).toHaveLength(1);
    await clocked.close();
  });
});

test("no refusal repeats the token, not even in what is for the log", async () => {
  const other = await createScriptedAuthority();
  const weather: (() => void)[] = [
    () => (gateway.onEnrollment = (_request, response) => response.destroy()),
    () => (gateway.onEnrollment = (request, response) => void echo(request, response, 200)),
    () => (gateway.onEnrollment = (request, response) => void echo(request, response, 400)),
    () => (gateway.onEnrollment = (request, response) => void echo(request, response, 410)),
    () => (gateway.alterAnswer = (answer) => ({ ...answer, root: other.rootPem })),
  ];
  for (const misbehave of weather) {
    gateway.onEnrollment = undefined;
    misbehave();
    const invite = gateway.invite();
    const token = [...gateway.tokens.keys()].at(-1)!;
    const problem = await refusal(peers.add(ada, invite));
    expect(inspect(problem, { depth: 10 }) + JSON.stringify(problem.details)).not.toContain(token);
  }
  const malformed = formatInvite({
    enrollUrl: "http://work.example.org/",
    token: newToken(),
    caFingerprint: "a".repeat(64),
  });
  expect(inspect(await refusal(peers.add(ada, malformed)), { depth: 10 })).not.toContain(
    malformed.split("token=")[1]!.slice(0, 43),
  );
});

/** What a hostile gateway may do with a body: send it back in every place there is. */
async function echo(
  request: Parameters<typeof readBody>[0],
  response: Parameters<typeof answerJson>[0],
  status: number,
) {
  const text = await readBody(request);
  answerJson(
    response,
    { code: "request_malformed", status, detail: text, remedy: text, certificate: text, root: text },
    status,
  );
}
