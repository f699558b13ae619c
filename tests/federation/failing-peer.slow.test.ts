import { performance } from "node:perf_hooks";
import { connect } from "node:tls";
import {
  enroll,
  type Json,
  type Relay,
  startGateway,
  startRelay,
  type TestGateway,
  type TestUser,
} from "@mosaicstack/harness";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { recordsOf, servingRecords } from "./serving-records.ts";

const EVERYTHING = { resources: ["tasks"], include_teams: "all", include_personal: true };
const DEADLINE_MS = 600;
/** What this machine may add to a deadline. */
const SLACK_MS = 1_500;

let home: TestGateway;
let work: TestGateway;
/** Between the two, in front of the listener for peers. */
let wire: Relay;
let grace: TestUser;
let count = 0;

beforeAll(async () => {
  wire = await startRelay();
  [home, work] = await Promise.all([
    startGateway({ tier: "federated", name: "home", deadlineMs: DEADLINE_MS }),
    startGateway({ tier: "federated", name: "work", relay: wire }),
  ]);
  grace = await work.addUser("Grace");
  for (let index = 0; index < 3; index++) {
    await grace.api.json("POST", "/api/v1/tasks", { title: `work ${index}` });
  }
});
afterAll(async () => await Promise.all([home?.stop(), work?.stop(), wire?.stop()]));

/** A user of home with two rows of their own and a peer. */
let user: TestUser;
let grant: Json;
beforeEach(async () => {
  wire.behave("pass");
  user = await home.addUser(`User ${count++}`);
  for (let index = 0; index < 2; index++) await user.api.json("POST", "/api/v1/tasks", { title: `home ${index}` });
  ({ grant } = await enroll(user, work, { subject: grace.id, scope: EVERYTHING, peer: "work" }));
});
afterEach(() => wire.behave("pass"));

async function list(): Promise<{ readonly page: Json; readonly tookMs: number }> {
  const startedAt = performance.now();
  const page = await user.api.json("GET", "/api/v1/tasks?source=all");
  return { page, tookMs: performance.now() - startedAt };
}

const titles = ({ rows }: Json): string[] => rows.map(({ title }: Json) => title as string).toSorted();
const LOCAL = ["home 0", "home 1"];
const BOTH = [...LOCAL, "work 0", "work 1", "work 2"];

describe("a peer that hangs", () => {
  test("costs a list its deadline and no more: local rows come, the source says timeout", async () => {
    expect(titles((await list()).page)).toEqual(BOTH);
    wire.behave("hang");
    const { page, tookMs } = await list();
    expect(titles(page)).toEqual(LOCAL);
    expect(page).toMatchObject({ partial: true, next_cursor: null, retry_cursor: expect.any(String) });
    expect(page.sources).toMatchObject([
      { source: "local", status: "ok", rows: 2 },
      { source: "federated:work", status: "timeout", rows: 0, error: { code: "peer_timeout" } },
    ]);
    expect(tookMs).toBeGreaterThan(DEADLINE_MS - 50);
    expect(tookMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
  });

  test("does not slow a list of local rows", async () => {
    wire.behave("hang");
    const startedAt = performance.now();
    expect(titles(await user.api.json("GET", "/api/v1/tasks?source=local"))).toEqual(LOCAL);
    expect(performance.now() - startedAt).toBeLessThan(DEADLINE_MS);
  });

  test("gives what it owes once it is back, from the cursor for a retry", async () => {
    wire.behave("hang");
    const { retry_cursor: retry } = (await list()).page;
    wire.behave("pass");
    const rest = await user.api.json("GET", `/api/v1/tasks?source=all&cursor=${retry}`);
    expect(titles(rest)).toEqual(["work 0", "work 1", "work 2"]);
    expect(rest).toMatchObject({ partial: false, next_cursor: null });
  });
});

describe("a revoked grant", () => {
  test("has its open connections cut within a second", async () => {
    await list();
    const open = wire.connections();
    expect(open).toBeGreaterThan(0);
    await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/revoke`);
    await expect.poll(() => wire.connections(), { timeout: 1_000, interval: 10 }).toBeLessThan(open);
  });

  test("gives nothing to the next request, however often it is made, and leaves local rows alone", async () => {
    await list();
    const shown = await work.admin.api.json("POST", `/api/v1/federation/grants/${grant.id}/revoke`);
    expect(shown).toMatchObject({ status: "revoked", revoked_at: expect.any(String) });
    expect(shown.certificates).toMatchObject([{ revoked_at: expect.any(String) }]);
    const before = recordsOf(work, grant).filter(({ outcome }) => outcome === "ok").length;
    for (let attempt = 0; attempt < 3; attempt++) {
      const { page } = await list();
      expect(titles(page)).toEqual(LOCAL);
      expect(page.partial).toBe(true);
      expect(page.sources[1].status).not.toBe("ok");
      expect(page.sources[1].error.remedy).not.toBe("");
    }
    const records = recordsOf(work, grant);
    expect(records.filter(({ outcome }) => outcome === "ok")).toHaveLength(before);
    expect(records.at(-1)).toMatchObject({
      verb: "connect",
      outcome: "certificate_revoked",
      serial: shown.certificates[0].serial,
    });
  });

  test("is revoked with its subject, and only then", async () => {
    const subject = await work.addUser(`Subject ${count}`);
    await subject.api.json("POST", "/api/v1/tasks", { title: "of the subject" });
    await enroll(user, work, { subject: subject.id, scope: EVERYTHING, peer: "second" });
    expect(titles((await list()).page)).toEqual([...LOCAL, "of the subject", "work 0", "work 1", "work 2"]);
    await work.admin.api.json("DELETE", `/api/v1/users/${subject.id}`);
    const { page } = await list();
    expect(titles(page)).toEqual(BOTH);
    expect(page.sources.map(({ source, status }: Json) => [source, status === "ok"])).toEqual([
      ["local", true],
      ["federated:second", false],
      ["federated:work", true],
    ]);
  });
});

test("a connection without a client certificate is dropped before HTTP", async () => {
  const answered = await new Promise<string>((resolve) => {
    let text = "";
    const socket = connect({ host: "127.0.0.1", port: wire.port, rejectUnauthorized: false }, () => {
      socket.write("POST /federation/v1/list HTTP/1.1\r\nhost: work\r\ncontent-length: 0\r\n\r\n");
    });
    socket.on("data", (bytes) => {
      text += bytes.toString();
    });
    socket.on("error", () => resolve(text)).on("close", () => resolve(text));
  });
  expect(answered).toBe("");
  expect(servingRecords(work).at(-1)).toMatchObject({
    verb: "connect",
    outcome: "certificate_untrusted",
    serial: null,
  });
});

// The last, since work does not come back.
describe("a peer that is gone", () => {
  beforeEach(async () => {
    await work.stop();
  });

  test("leaves the local rows, a partial answer and its reason; and can be removed", async () => {
    const { page, tookMs } = await list();
    expect(titles(page)).toEqual(LOCAL);
    expect(page.partial).toBe(true);
    expect(page.sources[1]).toMatchObject({ source: "federated:work", rows: 0 });
    expect(["offline", "timeout"]).toContain(page.sources[1].status);
    expect(tookMs).toBeLessThan(DEADLINE_MS + SLACK_MS);

    expect((await user.api.call("DELETE", "/api/v1/federation/peers/work")).status).toBe(204);
    expect((await user.api.json("GET", "/api/v1/federation/peers")).peers).toEqual([]);
    const after = await list();
    expect(after.page).toMatchObject({ partial: false });
    expect(after.page.sources.map(({ source }: Json) => source)).toEqual(["local"]);
    const stored = await home.store.query(`select 1 as found from federation_peers where user_id = $1::uuid`, [
      user.id,
    ]);
    expect(stored).toEqual([]);
  });
});
