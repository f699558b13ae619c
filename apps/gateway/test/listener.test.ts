import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import type { StandaloneConfig, TlsConfig } from "@mosaicstack/config";
import { issueServerCertificate } from "@mosaicstack/federation-server";
import { systemClock } from "@mosaicstack/foundation";
import { openTestStore } from "@mosaicstack/harness";
import type { Store } from "@mosaicstack/storage";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { composeGateway, type Gateway } from "../src/index.ts";
import { config, PASSWORD, secrets } from "./test-gateway.ts";

const open: Gateway[] = [];
let store: Store;
let directory: string;
let rootPem: string;
let tls: { certificateFile: string; keyFile: string };

beforeAll(async () => {
  store = await openTestStore();
  directory = await mkdtemp(join(tmpdir(), "mosaic-listener-"));
  const material = await createEmbeddedAuthority({ clock: systemClock });
  const authority = await openEmbeddedAuthority({ ...material, clock: systemClock });
  const certificate = await issueServerCertificate(authority, systemClock, []);
  rootPem = material.rootPem;
  tls = { certificateFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  await writeFile(tls.certificateFile, certificate.cert);
  await writeFile(tls.keyFile, certificate.key);
});
afterAll(async () => {
  await Promise.all(open.map((gateway) => gateway.stop()));
  await store.close();
  await rm(directory, { recursive: true });
});

/** A gateway over the file's one database, which outlives it; or over the one given, which it closes. */
async function compose(http: Partial<StandaloneConfig["http"]> = {}, drainMs = 10_000, own?: Store): Promise<Gateway> {
  const gateway = await composeGateway({
    config: { ...config, http: { ...config.http, ...http } },
    secrets,
    clock: systemClock,
    log: pino({ level: "silent" }),
    openStore: () => Promise.resolve(own ?? { ...store, close: () => Promise.resolve() }),
    drainMs,
  });
  open.push(gateway);
  return gateway;
}

/** Sends bytes and gives what comes back until the other side closes. */
async function exchange(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on("error", () => undefined);
  socket.write(bytes);
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function overTls(
  url: string,
  path: string,
  { body, headers }: { body?: object; headers?: Record<string, string> } = {},
) {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown> }>((resolve, reject) => {
    const method = body === undefined ? "GET" : "POST";
    const sent = { "content-type": "application/json", ...headers };
    const request = httpsRequest(`${url}${path}`, { ca: rootPem, method, headers: sent, agent: false }, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    request.on("error", reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe("plain HTTP", () => {
  test("port 0 takes a free one, and urls says which", async () => {
    const gateway = await compose();
    expect(() => gateway.urls()).toThrow("has not been started");
    await gateway.start();
    const { people } = gateway.urls();
    expect(people).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(await (await fetch(`${people}/healthz`)).json()).toEqual({ status: "ok" });
  });

  test("a port in use is a problem that names it", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };
    const gateway = await compose({ port });
    await expect(gateway.start()).rejects.toMatchObject({
      code: "listener_failed",
      message: expect.stringContaining(String(port)),
    });
    other.close();
  });

  test("what is not HTTP is refused with 400, and too large headers with 431, as problems", async () => {
    const gateway = await compose();
    await gateway.start();
    const { people } = gateway.urls();
    const garbage = await exchange(people, "GARBAGE\r\n\r\n");
    expect(garbage).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json.*"code":"request_malformed"/s);
    const overflow = await exchange(people, `GET /healthz HTTP/1.1\r\nhost: x\r\nx-big: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(overflow).toMatch(/^HTTP\/1\.1 431 .*"code":"headers_too_large"/s);
  });

  test("publicUrl is what people are told", async () => {
    const gateway = await compose({ publicUrl: "https://mosaic.example" });
    await gateway.start();
    expect(gateway.urls().people).toBe("https://mosaic.example");
  });
});

describe("stopping", () => {
  test("a request under way finishes, new ones find the door shut, and the database closes last", async () => {
    const gateway = await compose({}, 10_000, await openTestStore());
    await gateway.start();
    const { people } = gateway.urls();
    const claim = { code: gateway.setupCode, name: "Ada", email: "ada@example.org", password: PASSWORD };
    const headers = { "content-type": "application/json" };
    const setUp = await fetch(`${people}/api/v1/setup`, { method: "POST", headers, body: JSON.stringify(claim) });
    const { api_key: key } = (await setUp.json()) as { api_key: string };

    const { hostname, port } = new URL(people);
    const socket = connect(Number(port), hostname);
    const answer = (async () => {
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      return text;
    })();
    const body = JSON.stringify({ title: "finished while stopping" });
    socket.write(
      `POST /api/v1/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
    );
    await setTimeout(100);
    const startedAt = performance.now();
    const stopped = gateway.stop();
    await setTimeout(100);
    await expect(fetch(`${people}/healthz`)).rejects.toThrow("fetch failed");
    socket.write(body.slice(5));
    expect(await answer).toMatch(/^HTTP\/1\.1 201 .*finished while stopping/s);
    await stopped;
    expect(performance.now() - startedAt).toBeLessThan(2000);
    await expect(gateway.store.query("select 1", [])).rejects.toThrow(/closed/);
    await gateway.stop();
  });

  test("a client that never finishes does not keep the process", async () => {
    const gateway = await compose({}, 300);
    await gateway.start();
    const { hostname, port } = new URL(gateway.urls().people);
    const socket = connect(Number(port), hostname);
    const closed = new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve));
    socket.write(
      "POST /api/v1/setup HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    );
    await setTimeout(100);
    const startedAt = performance.now();
    await gateway.stop();
    await closed;
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });
});

describe("TLS", () => {
  test("with files, the listener speaks HTTPS and cookies are for HTTPS only", async () => {
    const gateway = await compose({ tls });
    await gateway.start();
    const { people } = gateway.urls();
    expect(people).toMatch(/^https:/);
    const health = await overTls(people, "/healthz");
    expect(health).toMatchObject({ status: 200, headers: { "strict-transport-security": expect.any(String) } });
    const claim = { code: gateway.setupCode, name: "Ada", email: "ada@example.org", password: PASSWORD };
    await overTls(people, "/api/v1/setup", { body: claim });
    const signedIn = await overTls(people, "/api/auth/sign-in/email", {
      body: { email: claim.email, password: PASSWORD },
    });
    const [cookie = ""] = signedIn.headers["set-cookie"] as string[];
    expect(cookie).toMatch(/^__Secure-mosaic\.session_token=.*; Secure/);
    const me = await overTls(people, "/api/v1/me", { headers: { cookie: cookie.split(";")[0] ?? "" } });
    expect(me.status).toBe(200);
  });

  test.each<[string, () => TlsConfig]>([
    ["a missing file", () => ({ ...tls, keyFile: join(directory, "none.pem") })],
    ["a file that is no key", () => ({ ...tls, keyFile: tls.certificateFile })],
    ["auto without an authority", () => "auto"],
  ])("%s stops the start instead of falling back to plain HTTP", async (_, broken) => {
    await expect(compose({ tls: broken() })).rejects.toMatchObject({ code: "tls_unusable" });
  });
});
