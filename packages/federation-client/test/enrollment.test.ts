import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Problem } from "@mosaicstack/foundation";
import { createSigningRequest, fingerprintOf, type Invite, newToken } from "@mosaicstack/federation-protocol";
import {
  answerJson,
  createScriptedAuthority,
  listen,
  type Listening,
  type ScriptedPeer,
  startScriptedPeer,
} from "@mosaicstack/harness";
import { afterEach, expect, test } from "vitest";
import { redeemInvite } from "../src/enrollment.ts";

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

async function started(options?: Parameters<typeof startScriptedPeer>[0]): Promise<ScriptedPeer> {
  const gateway = await startScriptedPeer(options);
  running.push(gateway);
  return gateway;
}

function inviteOf(gateway: ScriptedPeer, pinned = gateway.authority.rootPem): Invite {
  const token = newToken();
  gateway.tokens.set(token, { claimedBy: undefined, consumed: false });
  return { enrollUrl: gateway.enrollUrl, token, caFingerprint: fingerprintOf(pinned) };
}

async function redeem(invite: Invite, timeoutMs = 5000) {
  const { csrPem } = await createSigningRequest();
  return await redeemInvite(invite, csrPem, timeoutMs);
}

async function expectRefused(gateway: ScriptedPeer, invite: Invite, code: string, timeoutMs?: number): Promise<void> {
  await expect(redeem(invite, timeoutMs)).rejects.toMatchObject({ name: "Problem", code });
  expect(gateway.enrollments).toEqual([]);
}

test("a chain that ends in the pinned root is trusted, and the answer brings the other side's clock", async () => {
  const gateway = await started();
  const { response, remoteNow } = await redeem(inviteOf(gateway));
  expect(response.grant.id).toBe(gateway.grantId);
  expect(Math.abs(remoteNow!.getTime() - Date.now())).toBeLessThan(3000);
});

test("a server of another CA is refused before the token is sent", async () => {
  const gateway = await started();
  const other = await createScriptedAuthority();
  await expectRefused(gateway, inviteOf(gateway, other.rootPem), "ca_pin_mismatch");
});

test("a server that presents the pinned root, but whose certificate is not of it, is refused before the token is sent", async () => {
  const pinned = await createScriptedAuthority();
  const impostor = await createScriptedAuthority();
  const own = await impostor.server();
  const gateway = await started({
    authority: pinned,
    enrollmentServer: { key: own.key, cert: own.cert + pinned.rootPem },
  });
  await expectRefused(gateway, inviteOf(gateway), "ca_pin_mismatch");
});

test("a root of the pinned one's name, but another key, is refused before the token is sent", async () => {
  const pinned = await createScriptedAuthority("Same name");
  const impostor = await createScriptedAuthority("Same name");
  const own = await impostor.server();
  const gateway = await started({
    authority: pinned,
    enrollmentServer: { key: own.key, cert: own.cert + pinned.rootPem },
  });
  await expectRefused(gateway, inviteOf(gateway), "ca_pin_mismatch");
});

test("a certificate of the pinned root for another host is refused before the token is sent", async () => {
  const authority = await createScriptedAuthority();
  const own = await authority.server({ host: "elsewhere.example.org" });
  const gateway = await started({ authority, enrollmentServer: { key: own.key, cert: own.cert + authority.rootPem } });
  await expectRefused(gateway, inviteOf(gateway), "ca_pin_mismatch");
});

test("another peer's client certificate, of the pinned root, is no server's", async () => {
  const authority = await createScriptedAuthority();
  const own = await authority.server({ usages: ["1.3.6.1.5.5.7.3.2"] });
  const gateway = await started({ authority, enrollmentServer: { key: own.key, cert: own.cert + authority.rootPem } });
  await expectRefused(gateway, inviteOf(gateway), "ca_pin_mismatch");
});

test("an expired server certificate is refused before the token is sent, and the clocks are asked after", async () => {
  const authority = await createScriptedAuthority();
  const own = await authority.server({ notAfter: new Date(Date.now() - 60_000) });
  const gateway = await started({ authority, enrollmentServer: { key: own.key, cert: own.cert + authority.rootPem } });
  await expectRefused(gateway, inviteOf(gateway), "clock_skew");
});

test("a publicly trusted server is trusted without the pinned root, and another host's certificate is not", async () => {
  const publicCa = await createScriptedAuthority("Public CA");
  const directory = await mkdtemp(join(tmpdir(), "mosaic-public-root-"));
  const rootFile = join(directory, "root.pem");
  await writeFile(rootFile, publicCa.rootPem);
  try {
    const gateway = await started({ enrollmentServer: await publicCa.server() });
    expect(await redeemInChild(inviteOf(gateway), rootFile)).toBe("ok");
    expect(gateway.enrollments).toHaveLength(1);
    const misnamed = await started({ enrollmentServer: await publicCa.server({ host: "elsewhere.example.org" }) });
    expect(await redeemInChild(inviteOf(misnamed), rootFile)).toBe("ca_pin_mismatch");
    expect(misnamed.enrollments).toEqual([]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a redirection is not followed", async () => {
  const gateway = await started();
  const target = await started();
  gateway.onEnrollment = (_request, response) => response.writeHead(307, { location: target.enrollUrl }).end();
  await expectRefused(gateway, inviteOf(gateway), "peer_incompatible");
  expect(target.enrollments).toEqual([]);
});

test("an answer above 64 kB is cut off", async () => {
  const gateway = await started();
  let sent = 0;
  gateway.onEnrollment = (_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const pour = () => {
      while (!response.destroyed && response.write("x".repeat(16_384))) sent += 16_384;
    };
    response.on("drain", pour);
    pour();
  };
  await expectRefused(gateway, inviteOf(gateway), "peer_answer_too_large");
  expect(sent).toBeLessThan(32 * 1024 * 1024);
});

test("a slow drip is given up at the deadline", async () => {
  const gateway = await started();
  gateway.onEnrollment = (_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const drip = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(drip));
  };
  await expectRefused(gateway, inviteOf(gateway), "peer_timeout", 300);
});

test("a server that never ends its handshake is given up at the deadline", async () => {
  const gateway = await started();
  const silent = await silentServer();
  const invite = { ...inviteOf(gateway), enrollUrl: `https://localhost:${silent.port}/enroll` };
  const startedAt = performance.now();
  await expectRefused(gateway, invite, "peer_timeout", 300);
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

test("a server that goes silent after its certificate was seen is given up at the same deadline", async () => {
  const gateway = await started();
  let connections = 0;
  const proxy = await listen(
    createServer((socket) => {
      connections += 1;
      if (connections > 1) return;
      setTimeout(() => {
        const onward = connect(Number(new URL(gateway.enrollUrl).port), "127.0.0.1");
        onward.on("error", () => undefined);
        socket.pipe(onward).pipe(socket);
      }, 400);
    }),
  );
  running.push(proxy);
  const invite = { ...inviteOf(gateway), enrollUrl: `https://localhost:${proxy.port}/enroll` };
  const startedAt = performance.now();
  await expectRefused(gateway, invite, "peer_timeout", 600);
  expect(connections).toBe(2);
  expect(performance.now() - startedAt).toBeLessThan(900);
});

test("nobody there is peer_unreachable", async () => {
  const gateway = await started();
  const invite = inviteOf(gateway);
  await expectRefused(gateway, { ...invite, enrollUrl: "https://localhost:1/enroll" }, "peer_unreachable");
  await expectRefused(gateway, { ...invite, enrollUrl: "https://no-such-host.invalid/enroll" }, "peer_unreachable");
});

test("a server that speaks plain HTTP where TLS is asked for is peer_incompatible", async () => {
  const gateway = await started({ enrollmentServer: "plain" });
  const invite = inviteOf(gateway);
  await expectRefused(
    gateway,
    { ...invite, enrollUrl: invite.enrollUrl.replace("http:", "https:") },
    "peer_incompatible",
  );
});

test("a connection reset in the handshake is peer_unreachable", async () => {
  const gateway = await started();
  const resetting = await listen(createServer((socket) => socket.once("data", () => socket.resetAndDestroy())));
  running.push(resetting);
  const invite = { ...inviteOf(gateway), enrollUrl: `https://localhost:${resetting.port}/enroll` };
  await expectRefused(gateway, invite, "peer_unreachable");
});

test.each([
  ["410", 410, { code: "enrollment_refused", status: 410, detail: "x" }, "invite_not_usable"],
  ["429", 429, { code: "rate_limited", status: 429, detail: "x" }, "peer_rate_limited"],
  ["500", 500, { code: "serving_failed", status: 500, detail: "x" }, "serving_failed"],
  ["502 of a proxy", 502, "Bad gateway", "peer_failing"],
  ["404", 404, "Not found", "peer_incompatible"],
  ["200 without a certificate", 200, { root: "x" }, "peer_incompatible"],
  ["200 of another shape", 200, [1, 2, 3], "peer_incompatible"],
  ["204", 204, undefined, "peer_incompatible"],
])("%s is told by its reason", async (_what, status, body, code) => {
  const gateway = await started();
  gateway.onEnrollment = (_request, response) => answerJson(response, body, status);
  await expectRefused(gateway, inviteOf(gateway), code);
});

test("a problem is the only thing it ever rejects with", async () => {
  const gateway = await started();
  for (const bytes of ["", "{", "null", "[]", '{"code":1}', "\u0000\u0001", "<html>"]) {
    gateway.onEnrollment = (_request, response) =>
      response.writeHead(200, { "content-type": "application/json" }).end(bytes);
    await expect(redeem(inviteOf(gateway))).rejects.toBeInstanceOf(Problem);
  }
});

/** Node reads its public roots at the start of a process. */
async function redeemInChild({ enrollUrl, token, caFingerprint }: Invite, rootFile: string): Promise<string> {
  const script = join(import.meta.dirname, "serving-side/enroll-in-child.ts");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", script, enrollUrl, token, caFingerprint],
    { env: { ...process.env, NODE_EXTRA_CA_CERTS: rootFile } },
  );
  return stdout;
}

/** Accepts connections, and says nothing. */
async function silentServer(): Promise<Listening> {
  const server = await listen(createServer(() => undefined));
  running.push(server);
  return server;
}
