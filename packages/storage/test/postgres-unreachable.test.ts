import { createServer, type Server, type Socket } from "node:net";
import { inspect } from "node:util";
import { Problem } from "@mosaicstack/foundation";
import { afterEach, describe, expect, test } from "vitest";
import { openPostgres } from "../src/index.ts";

const password = "correct-horse-battery-staple";
const servers: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server on loopback that treats each connection so. Gives its port. */
async function listen(treat: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    treat(socket);
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function freePort(): Promise<number> {
  const port = await listen(() => undefined);
  const { server } = servers.pop() ?? {};
  await new Promise((resolve) => server?.close(resolve));
  return port;
}

async function refusal(port: number, more: { host?: string; tls?: "off" | "require" } = {}): Promise<Problem> {
  const address = { host: "127.0.0.1", port, name: "mosaic", user: "ada", password };
  const error: unknown = await openPostgres({ ...address, connectTimeoutMs: 400, ...more }).catch(
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw new Error(`expected a Problem, got ${String(error)}`);
  // The cause goes to the log, so it counts too.
  expect(inspect(error, { depth: 9 })).not.toContain(password);
  expect(JSON.stringify(error.details)).not.toContain(password);
  return error;
}

describe("a database that can't be reached is named, with the cause, and never the password:", () => {
  test("nothing listens", async () => {
    const port = await freePort();
    const { code, status, details } = await refusal(port);
    expect([code, status]).toEqual(["database_unreachable", 503]);
    expect(details).toMatchObject({ service: "postgresql", host: "127.0.0.1", port, cause: "connection refused" });
    expect(details.detail).toBe(`PostgreSQL at 127.0.0.1:${port} can't be reached: connection refused.`);
    expect(details.remedy).toContain("Check that PostgreSQL runs there");
  });

  test("nothing listens on either address of a name", async () => {
    const { details } = await refusal(await freePort(), { host: "localhost" });
    expect(details).toMatchObject({ cause: "connection refused", host: "localhost" });
  });

  test("the host has no such name", async () => {
    const { details } = await refusal(5432, { host: "nowhere.invalid" });
    expect(details["cause"]).toMatch(/unknown host name|can't be looked up|timed out/);
  });

  test("it accepts and says nothing", async () => {
    const began = performance.now();
    const { details } = await refusal(await listen(() => undefined));
    expect(details["cause"]).toBe("timed out");
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test("it accepts and hangs up", async () => {
    const { code } = await refusal(await listen((socket) => socket.end()));
    expect(code).toBe("database_unreachable");
  });

  test("it resets the connection", async () => {
    const { code } = await refusal(await listen((socket) => socket.resetAndDestroy()));
    expect(code).toBe("database_unreachable");
  });

  test("it is no PostgreSQL", async () => {
    const { code } = await refusal(await listen((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
    expect(code).toBe("database_unreachable");
  });

  test("it doesn't offer the TLS that was asked for", async () => {
    const port = await listen((socket) => socket.once("data", () => socket.write("N")));
    const { details } = await refusal(port, { tls: "require" });
    expect(details["cause"]).toBe("the server doesn't offer TLS");
  });
});
