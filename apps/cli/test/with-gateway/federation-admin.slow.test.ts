import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createGateway } from "../../src/gateway.ts";
import { PRESET_NAMES } from "../../src/grant-input.ts";
import { keyByPassword } from "../../src/sign-in.ts";
import { PASSWORD, type RealGateway, startGateway } from "../real-gateway.ts";

const SLOW_MS = 120_000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A clock that can be wrong. */
function wrongClock(): { offsetMs: number; now(): Date } {
  return {
    offsetMs: 0,
    now() {
      return new Date(Date.now() + this.offsetMs);
    },
  };
}

let work: RealGateway;
let home: RealGateway;
const workClock = wrongClock();
const homeClock = wrongClock();
beforeAll(async () => {
  work = await startGateway({ tier: "federated", clock: workClock });
  home = await startGateway({ tier: "federated", clock: homeClock });
}, SLOW_MS);
afterAll(async () => {
  await home?.stop();
  await work?.stop();
});

const grant = (...words: string[]): string[] => ["federation", "grant", ...words];
const peer = (...words: string[]): string[] => ["federation", "peer", ...words];

/** Makes a grant, and gives its invite. */
async function inviteOf(name: string, ...flags: string[]): Promise<string> {
  const scope = flags.length === 0 ? ["--preset", "tasks-only"] : flags;
  const words = grant("create", "--name", name, "--subject", "ada@example.org", ...scope);
  return (await work.data<{ invite: string }>(words)).invite;
}

/** Adds a user who is no administrator. */
async function keyOfBob(gateway: RealGateway): Promise<string> {
  const words = ["user", "add", "Bob", "--email", "bob@example.org", "--password-file", "-"];
  expect(await gateway.mosaic(words, { input: PASSWORD })).toMatchObject({ status: 0 });
  const anyone = createGateway({ url: gateway.url, apiKey: undefined, ca: undefined }, new AbortController().signal);
  return (await keyByPassword(anyone, { email: "bob@example.org", password: PASSWORD })).apiKey;
}

describe("a grant's life, from the command line", { timeout: SLOW_MS }, () => {
  test("create from a preset, join, show with its certificates, edit with history, suspend, resume, revoke", async () => {
    const invite = await inviteOf("home");
    expect(await work.data(grant("show", "home"))).toMatchObject({
      status: "pending",
      generation: 0,
      scope: { resources: ["tasks"], include_teams: "all", include_personal: true },
    });
    expect(await home.mosaic(peer("add", invite, "--name", "work"))).toMatchObject({ status: 0 });

    const shown = await work.mosaic(grant("show", "home"));
    expect(shown.out).toMatch(/^status +active$/mu);
    expect(shown.out).toMatch(/^CERTIFICATE +GENERATION +STATE/mu);
    expect(shown.out).toMatch(/^[0-9a-f]{16,} +1 +active/mu);
    expect(await home.data(peer("show", "work"))).toMatchObject({ state: "active", generation: 1 });
    expect((await home.mosaic(peer("show", "work"))).out).toMatch(/^certificate +generation 1, until /mu);

    const dry = await work.mosaic(grant("edit", "home", "--no-personal", "--max-rows", "20", "--dry-run"));
    expect(dry).toMatchObject({ status: 0, err: expect.stringContaining("Nothing was changed (--dry-run).") });
    expect(dry.out).toMatch(/^may read, now +tasks: rows of all their teams, at most 20 a query$/mu);
    expect(await work.data(grant("show", "home"))).toMatchObject({ scope: { include_personal: true } });
    const edited = await work.mosaic(grant("edit", "home", "--exclude", "memory", "--resources", "tasks,notes,memory"));
    expect(edited.out).toMatch(
      /^may read, was +tasks: personal rows and rows of all their teams, at most 200 a query$/mu,
    );
    expect(await work.data(grant("edit", "home", "--expires", "30d", "--name", "Ada's home"))).toMatchObject({
      name: "Ada's home",
      expires_at: expect.stringMatching(/Z$/u),
      scope: { resources: ["tasks", "notes", "memory"], excluded_resources: ["memory"], include_personal: true },
    });
    expect(await work.data(grant("edit", "Ada's home", "--expires", "never"))).toMatchObject({ expires_at: null });
    const slower = await work.mosaic(grant("edit", "Ada's home", "--requests-per-minute", "600"));
    expect(slower.out).toMatch(/^may ask, was +1200 times a minute, 16 at once$/mu);
    expect(slower.out).toMatch(/^may ask, now +600 times a minute, 16 at once$/mu);
    const narrower = await work.data(grant("edit", "Ada's home", "--concurrent-requests", "12"));
    expect(narrower).toMatchObject({ requests_per_minute: 600, concurrent_requests: 12 });
    expect((await work.mosaic(grant("show", "Ada's home"))).out).toMatch(/^may ask +600 times a minute, 12 at once$/mu);
    expect((await work.mosaic(grant("list"))).out).toMatch(/ 600 +12 +never/u);
    expect(await work.mosaic(grant("edit", "Ada's home", "--concurrent-requests", "1001"))).toMatchObject({
      err: expect.stringContaining("concurrent_requests"),
    });
    expect((await work.mosaic(grant("edit", "Ada's home"))).err).toContain("Nothing to change was given.");
    const { scopes } = await work.data<{ scopes: unknown[] }>(grant("show", "Ada's home", "--history"));
    expect(scopes).toHaveLength(2);
    expect((await work.mosaic(grant("show", "Ada's home", "--history"))).out).toMatch(/^SINCE +BY +MAY READ/mu);

    const suspended = await work.mosaic(grant("suspend", "Ada's home"));
    expect(suspended.err).toContain("mosaic federation grant resume 'Ada'\\''s home'");
    const refused = await home.mosaic(["task", "list", "--source", "federated:work"]);
    expect(refused).toMatchObject({ status: 4, err: expect.stringContaining("suspended") });
    expect(await work.mosaic(grant("suspend", "Ada's home"))).toMatchObject({
      status: 6,
      err: expect.stringContaining("(grant_transition_refused"),
    });
    expect(await work.data(grant("resume", "Ada's home"))).toMatchObject({ status: "active" });
    expect(await home.mosaic(["task", "list", "--source", "federated:work"])).toMatchObject({ status: 0 });

    const preview = await work.data<{ serials: string[] }>(grant("revoke", "Ada's home", "--dry-run"));
    expect(preview).toMatchObject({ dry_run: true, open_sockets_here: 1, last_used_at: expect.stringMatching(/Z$/u) });
    expect(preview.serials).toHaveLength(1);
    const previewed = await work.mosaic(grant("revoke", "Ada's home", "--dry-run"));
    expect(previewed.out).toContain(preview.serials[0]);
    expect(previewed.out).toMatch(/^open sockets +1 at this replica$/mu);
    expect(previewed.out).toMatch(/^last used +20\d\d-\d\d-\d\d( \d\d:\d\d)?, as far as this replica knows$/mu);
    expect(await work.data(grant("show", "Ada's home"))).toMatchObject({ status: "active" });
    expect(await work.mosaic(grant("revoke", "Ada's home"), { terminal: { keys: ["n"] } })).toMatchObject({
      status: 130,
    });
    expect(await work.data(grant("revoke", "Ada's home", "--yes"))).toMatchObject({ status: "revoked" });
    expect((await work.mosaic(grant("show", "Ada's home"))).out).toMatch(/^[0-9a-f]{16,} +1 +revoked/mu);
    expect(await home.mosaic(peer("remove", "work", "--yes"))).toMatchObject({ status: 0 });
  });

  test.each(PRESET_NAMES)("the preset %s is a scope the gateway takes, without credentials", async (preset) => {
    const invite = await inviteOf(`of ${preset}`, "--preset", preset);
    expect(invite).toContain("#token=");
    const { scope } = await work.data<{ scope: { resources: string[] } }>(grant("show", `of ${preset}`));
    expect(scope.resources).not.toContain("credentials");
  });

  test("a preset and --resources contradict each other; other flags change a preset", async () => {
    const both = ["--preset", "read-everything", "--resources", "tasks"];
    const words = grant("create", "--name", "both", "--subject", "ada@example.org", ...both);
    expect(await work.mosaic(words)).toMatchObject({
      status: 2,
      err: expect.stringContaining("both say what may be read"),
    });
    await inviteOf("less", "--preset", "read-everything", "--exclude", "memory", "--no-personal", "--max-rows", "10");
    expect(await work.data(grant("show", "less"))).toMatchObject({
      scope: { excluded_resources: ["memory"], include_personal: false, include_teams: "all", max_rows_per_query: 10 },
    });
  });
});

describe("grant preview", { timeout: SLOW_MS }, () => {
  const preview = (...words: string[]): string[] => grant("preview", ...words);

  test("before there is a grant, of a grant, and of it with flags as edit has them", async () => {
    await work.data(["task", "add", "One's own"]);
    const ofAda = ["--subject", "ada@example.org"];
    const unmade = await work.mosaic(preview(...ofAda, "--preset", "read-everything", "--exclude", "memory"));
    expect(unmade).toMatchObject({ status: 0, err: expect.stringContaining("Nothing was made") });
    expect(unmade.out).toMatch(/^grant +not made$/mu);
    expect(unmade.out).toMatch(/^may read +tasks, notes, teams: personal rows and rows of all their teams/mu);
    expect(unmade.out).toMatch(/^RESOURCE +ROWS +NEWEST$/mu);
    expect(unmade.out).toMatch(/^tasks +1 +One's own$/mu);
    expect(unmade.out).not.toMatch(/^memory/mu);

    await inviteOf("previewed");
    const scopeBefore = (await work.data<{ scope: unknown }>(grant("show", "previewed"))).scope;
    const made = await work.mosaic(preview("previewed"));
    expect(made).toMatchObject({ status: 0, err: expect.stringContaining("No peer has enrolled yet") });
    expect(made.out).toMatch(/^grant +previewed \([0-9a-f-]{36}\), pending$/mu);
    expect(await work.data(preview("previewed", "--resources", "notes"))).toMatchObject({
      grant: { name: "previewed", scope: scopeBefore },
      scope: { resources: ["notes"], include_personal: true },
      resources: [{ name: "notes", rows: 0, more: false, newest: [] }],
    });
    expect(await work.data(grant("show", "previewed"))).toMatchObject({ scope: scopeBefore });
    await work.data(grant("revoke", "previewed", "--yes"));
    expect(await work.mosaic(preview("previewed"))).toMatchObject({
      status: 6,
      err: expect.stringContaining("(grant_transition_refused"),
    });
  });

  test("shows another subject's number of rows, and none of the rows", async () => {
    const password = ["--password-file", "-"];
    await work.mosaic(["user", "add", "Carol", "--email", "carol@example.org", ...password], { input: PASSWORD });
    const anyone = createGateway({ url: work.url, apiKey: undefined, ca: undefined }, new AbortController().signal);
    const { apiKey: key } = await keyByPassword(anyone, { email: "carol@example.org", password: PASSWORD });
    await work.data(["note", "add", "carols-secret"], { key });
    const wanted = ["--subject", "carol@example.org", "--resources", "notes", "--personal"];
    const seen = await work.mosaic(preview(...wanted));
    expect(seen).toMatchObject({ status: 0, err: expect.stringContaining("only the subject is shown") });
    expect(seen.out).toMatch(/^RESOURCE +ROWS\nnotes +1$/mu);
    const asJson = await work.mosaic([...preview(...wanted), "--json"]);
    expect(`${seen.out}${seen.err}${asJson.out}`).not.toContain("carols-secret");
    // Of one that is not made not even hers, as she makes none.
    expect(await work.mosaic(preview(...wanted), { key })).toMatchObject({ status: 4, out: "" });
  });

  test("a number that was counted to its end is told from one that was not", async () => {
    // A server of this test's own, in place of ten thousand rows.
    const scope = {
      resources: ["tasks", "notes"],
      excluded_resources: [],
      include_teams: "all",
      include_personal: true,
    };
    const resources = [
      { name: "tasks", rows: 10_000, more: true },
      { name: "notes", rows: 10_000, more: false },
    ];
    const answer = JSON.stringify({ grant: null, subject: { id: "x", name: "Ada" }, scope, resources });
    const server = createServer((request, response) => {
      request.resume();
      request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const variables = { MOSAIC_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    const { out } = await work.mosaic(preview("--subject", "ada", "--preset", "team-work"), { variables });
    expect(out).toMatch(/^tasks +10,000\+\nnotes +10,000$/mu);
  });

  test.each([
    ["neither a grant nor a subject", []],
    ["both", ["home", "--subject", "ada@example.org", "--resources", "tasks"]],
    ["a subject and no scope", ["--subject", "ada@example.org"]],
  ])("%s is a fault of usage", async (_name, words) => {
    expect(await work.mosaic(preview(...words))).toMatchObject({ status: 2, out: "" });
  });

  test("an unknown resource is refused with the path to it", async () => {
    const ran = await work.mosaic(preview("--subject", "ada@example.org", "--resources", "tusks", "--personal"));
    expect(ran).toMatchObject({ out: "", err: expect.stringContaining("resources.0") });
  });
});

describe("peer add --check", { timeout: SLOW_MS }, () => {
  test("says who would be trusted and what its clock shows, and does not use the invite", async () => {
    const invite = await inviteOf("checked");
    const ran = await home.mosaic(peer("add", invite, "--check"));
    expect(ran).toMatchObject({ status: 0, err: expect.stringContaining("The invite was not used") });
    expect(ran.out).toMatch(/^its clock +\S/mu);
    expect(ran.out).not.toContain("token=");
    expect(await work.data(grant("show", "checked"))).toMatchObject({ status: "pending" });
    expect(await home.data(peer("add", invite, "--name", "checked"))).toMatchObject({ state: "active" });
    expect(await home.mosaic(peer("remove", "checked", "--yes"))).toMatchObject({ status: 0 });
  });

  test("measures a clock that is wrong", async () => {
    const invite = await inviteOf("late");
    homeClock.offsetMs = -12 * MINUTE_MS;
    try {
      const ran = await home.mosaic(peer("add", invite, "--check", "--json"));
      const { error } = JSON.parse(ran.err) as { error: { code: string; detail: string; skew_seconds: number } };
      expect(error).toMatchObject({ code: "clock_skew", detail: "This gateway's clock is 12 min behind the peer's." });
      expect(Math.abs(error.skew_seconds - 12 * 60)).toBeLessThan(30);
      expect(ran.status).toBe(7);
    } finally {
      homeClock.offsetMs = 0;
    }
  });
});

describe("an invite that is refused says why, and what to do", { timeout: SLOW_MS }, () => {
  async function refusal(invite: string, name: string): Promise<{ status: number; text: string }> {
    const { status, out, err } = await home.mosaic(peer("add", invite, "--name", name));
    expect(out).toBe("");
    expect(err).not.toContain(/token=([^&]+)/u.exec(invite)?.[1] ?? "no token");
    return { status, text: err };
  }

  test("expired", async () => {
    const invite = await inviteOf("expired");
    workClock.offsetMs = 16 * MINUTE_MS;
    try {
      const { status, text } = await refusal(invite, "expired");
      expect({ status, text }).toEqual({
        status: 6,
        text: expect.stringMatching(/\(invite_expired/u) as unknown,
      });
      expect(text).toContain("mosaic federation grant token");
    } finally {
      workClock.offsetMs = 0;
    }
  });

  test("used", async () => {
    const invite = await inviteOf("used");
    const stranger = await startGateway({ tier: "federated" });
    try {
      expect(await stranger.mosaic(peer("add", invite))).toMatchObject({ status: 0 });
    } finally {
      await stranger.stop();
    }
    const { status, text } = await refusal(invite, "used");
    expect({ status, text }).toEqual({
      status: 6,
      text: expect.stringMatching(/\(invite_used/u) as unknown,
    });
    expect(text).toContain("mosaic federation grant token");
  });

  test("revoked", async () => {
    const invite = await inviteOf("revoked");
    await work.data(grant("revoke", "revoked", "--yes"));
    const { status, text } = await refusal(invite, "revoked");
    expect({ status, text }).toEqual({
      status: 6,
      text: expect.stringMatching(/\(invite_revoked/u) as unknown,
    });
  });

  test("suspended", async () => {
    const first = await inviteOf("paused");
    expect(await home.mosaic(peer("add", first, "--name", "paused"))).toMatchObject({ status: 0 });
    const { invite } = await work.data<{ invite: string }>(grant("token", "paused"));
    await work.data(grant("suspend", "paused"));
    const { status, text } = await refusal(invite, "paused-again");
    expect({ status, text }).toEqual({
      status: 6,
      text: expect.stringMatching(/\(invite_suspended/u) as unknown,
    });
    await home.mosaic(peer("remove", "paused", "--yes"));
  });

  test("wrong pin", async () => {
    const invite = (await inviteOf("pinned")).replace(/ca=[0-9a-f]{4}/u, "ca=0000");
    const { status, text } = await refusal(invite, "pinned");
    expect({ status, text }).toEqual({ status: 7, text: expect.stringContaining("(ca_pin_mismatch") });
    expect(text).toContain("over a channel you trust");
  });

  test("clock skew, measured", async () => {
    const invite = await inviteOf("skewed");
    homeClock.offsetMs = -2 * DAY_MS;
    try {
      const { status, text } = await refusal(invite, "skewed");
      expect({ status, text }).toEqual({ status: 7, text: expect.stringContaining("(clock_skew") });
      expect(text).toContain("This gateway's clock is 2 days behind the peer's.");
      expect(text).toContain("Set both clocks right");
    } finally {
      homeClock.offsetMs = 0;
    }
  });
});

describe("what a gateway says of an invite it refuses", { timeout: SLOW_MS }, () => {
  // A server of this test's own: a gateway may also keep the reason to itself.
  test.each([
    ["expired", "invite_expired", "mosaic federation grant token"],
    ["used", "invite_used", "mosaic federation grant token"],
    ["revoked", "invite_revoked", "new grant"],
    ["suspended", "invite_suspended", "resume"],
    ["something else", "invite_not_usable", "mosaic federation grant token"],
  ])("%s: is told, with what to do", async (reason, code, remedy) => {
    const server = createServer((request, response) => {
      request.resume();
      const body = JSON.stringify({ code: "enrollment_refused", reason });
      request.on("end", () => response.writeHead(410, { "content-type": "application/problem+json" }).end(body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const [token, pin] = ["A".repeat(43), "0".repeat(64)];
    const invite = `http://127.0.0.1:${port}/enroll#token=${token}&ca=${pin}`;
    const { status, out, err } = await home.mosaic(peer("add", invite));
    expect({ status, out }).toEqual({ status: 6, out: "" });
    expect(err).toContain(`(${code}`);
    expect(err).toContain(remedy);
    expect(err).not.toContain(token);
  });
});

describe("the certificate authority", { timeout: SLOW_MS }, () => {
  test("shows its root, the age of its list and what it has not been told, to admins", async () => {
    // What was revoked a moment ago is told within seconds.
    const status = () => work.data(["federation", "ca", "status"]);
    await expect.poll(status, { timeout: 20_000, interval: 500 }).toMatchObject({
      kind: "embedded",
      url: null,
      root: { fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/u) as unknown },
      state: "ok",
      pending_revocations: 0,
    });
    const shown = await work.mosaic(["federation", "ca", "status"]);
    expect(shown.out).toMatch(/^authority +the gateway's own, ok$/mu);
    expect(shown.out).toMatch(/^not told yet +nothing$/mu);
    const { out } = await work.mosaic(["federation", "status"]);
    expect(out).toMatch(/^certificate authority +the gateway's own, ok$/mu);
  });

  test("is not for others, whose status goes without it", async () => {
    const key = await keyOfBob(work);
    expect(await work.mosaic(["federation", "ca", "status"], { key })).toMatchObject({ status: 4 });
    expect(await work.data(["federation", "status"], { key })).toMatchObject({ authority: null, alerts: [] });
  });
});

describe("a peer", { timeout: SLOW_MS }, () => {
  test("is renewed on demand, tells why it can't be, and is removed with the other side gone", async () => {
    const gone = await startGateway({ tier: "federated", clock: homeClock });
    const words = grant("create", "--name", "home", "--subject", "ada@example.org", "--preset", "tasks-only");
    const { invite } = await gone.data<{ invite: string }>(words);
    await home.data(peer("add", invite, "--name", "gone"));
    // Renewals of one peer are a minute apart at least.
    expect(await home.mosaic(peer("renew", "gone"))).toMatchObject({ status: 9 });
    homeClock.offsetMs = 2 * MINUTE_MS;
    expect(await home.data(peer("renew", "gone"))).toMatchObject({ state: "active", generation: 2 });
    expect((await home.mosaic(["federation", "status"])).out).not.toContain("ALERT");

    await gone.stop();
    const failed = await home.mosaic(peer("renew", "gone"));
    expect(failed).toMatchObject({ status: 7, out: "", err: expect.stringContaining("(peer_unreachable") });
    expect((await home.mosaic(peer("show", "gone"))).out).toMatch(/^last renewal +failed: peer_unreachable$/mu);
    // Nor does anybody ask again and again after a failure.
    const held = await home.mosaic(peer("renew", "gone"));
    expect(held).toMatchObject({ status: 9, err: expect.stringMatching(/Try again in \d+ s\./u) });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      homeClock.offsetMs += 11_000;
      expect(await home.mosaic(peer("renew", "gone"))).toMatchObject({ status: 7 });
    }
    const status = await home.mosaic(["federation", "status"]);
    // First what needs looking at.
    expect(status.out).toMatch(/^ALERT {2}The certificate for the peer "gone" can't be renewed since /u);
    expect(status.out).toContain("mosaic federation peer renew gone (peer_degraded)");
    expect(await home.data(["federation", "status"])).toMatchObject({
      alerts: [{ code: "peer_degraded" }],
      peers: expect.arrayContaining([expect.objectContaining({ name: "gone", state: "degraded" })]) as unknown,
    });

    expect(await home.mosaic(peer("remove", "gone", "--yes"))).toMatchObject({ status: 0, out: "gone\n" });
    expect(await home.data(["federation", "status"])).toMatchObject({ alerts: [] });
    expect(await home.mosaic(peer("show", "gone"))).toMatchObject({ status: 5 });
    homeClock.offsetMs = 0;
  });

  test("of another user that needs attention is one line of an administrator's status, which names neither", async () => {
    const key = await keyOfBob(home);
    const invite = await inviteOf("of bob");
    expect(await home.mosaic(peer("add", invite, "--name", "bobs"), { key })).toMatchObject({ status: 0 });
    await work.data(grant("suspend", "of bob"));
    expect(await home.mosaic(peer("renew", "bobs"), { key })).toMatchObject({ status: 4 });
    const { out } = await home.mosaic(["federation", "status"]);
    expect(out).toMatch(/^ALERT {2}Peers of other users need attention: 1 degraded\.\n +The gateway's log has each/u);
    expect(out).not.toMatch(/bob/iu);
    expect(await home.data(["federation", "status"])).toMatchObject({
      alerts: [{ code: "peers_of_others" }],
      peers_of_others: { degraded: 1, expired: 0 },
    });
    const own = await home.data(["federation", "status"], { key });
    expect(own).toMatchObject({ alerts: [{ code: "peer_degraded" }] });
    expect(own).not.toHaveProperty("peers_of_others");
    expect(await home.mosaic(peer("remove", "bobs", "--yes"), { key })).toMatchObject({ status: 0 });
  });
});
