import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { inspect } from "node:util";
import { connectValkey, probeValkey, type ValkeyAddress } from "@mosaicstack/coordination";
import { Problem, systemClock } from "@mosaicstack/foundation";
import { afterEach, describe, expect, test } from "vitest";

const PASSWORD = "a-password-nobody-may-see";

const open: Server[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of open.splice(0)) {
    server.close();
    await once(server, "close");
  }
});

async function listen(server: Server): Promise<ValkeyAddress> {
  server.listen(0, "127.0.0.1");
  server.on("connection", (socket: Socket) => sockets.push(socket));
  await once(server, "listening");
  open.push(server);
  const { port } = server.address() as AddressInfo;
  return { host: "127.0.0.1", port, database: 0, username: "somebody", password: PASSWORD, tls: false };
}

/** A server that answers every command but INFO with OK: for what a real one can't be brought to say. */
function answering(info: string): Server {
  return createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      for (const [, command = ""] of chunk.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        socket.write(command.toLowerCase() === "info" ? info : "+OK\r\n");
      }
    });
  });
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

async function refusal(address: ValkeyAddress, timeoutMs = 5000): Promise<Problem> {
  const error: unknown = await probeValkey(address, { timeoutMs }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Problem)) throw new Error("no problem was thrown", { cause: error });
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(PASSWORD);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain("somebody");
  const { host, port } = address;
  expect(error.details).toMatchObject({ service: "valkey", host, port, status: 503 });
  return error;
}

describe("what keeps Valkey from being reached is told:", () => {
  const unreachable: readonly [cause: string, address: () => Promise<ValkeyAddress>][] = [
    [
      "connection refused",
      async () => {
        const address = await listen(createServer());
        open.pop()?.close();
        return address;
      },
    ],
    ["unknown host", async () => ({ ...(await listen(createServer())), host: "valkey.invalid" })],
    ["timed out", async () => listen(createServer(() => undefined))],
    ["connection closed", async () => listen(createServer((socket) => socket.destroy()))],
    ["not a Valkey or Redis server", async () => listen(createHttpServer())],
    [
      "TLS required",
      // The alert `unexpected_message`, as OpenSSL answers plain text.
      async () => listen(createServer((socket) => socket.end(Buffer.from("1503010002020a", "hex")))),
    ],
    ["loading its data", async () => listen(answering("-LOADING Redis is loading the dataset in memory\r\n"))],
    ["loading its data", async () => listen(answering(bulk("redis_version:8.0.0\r\nloading:1\r\n")))],
    ["too many connections", async () => listen(answering("-ERR max number of clients reached\r\n"))],
    ["not permitted", async () => listen(answering("-NOPERM User somebody has no permissions to run 'info'\r\n"))],
    ["unexpected answer", async () => listen(answering("-ERR something new\r\n"))],
    ["TLS refused", async () => ({ ...(await listen(createHttpServer())), tls: true })],
  ];
  test.each(unreachable)("%s", async (cause, address) => {
    const { code, details } = await refusal(await address(), 1500);
    expect({ code, cause: details["cause"] }).toEqual({ code: "valkey_unreachable", cause });
    expect(details.detail).toContain(cause);
    expect(details.remedy.length).toBeGreaterThan(20);
  });

  test("within the time it is given, however silent the server", async () => {
    const address = await listen(createServer(() => undefined));
    const startedAt = performance.now();
    await refusal(address, 300);
    expect(performance.now() - startedAt).toBeLessThan(900);
  });
});

test("a Redis that BullMQ can't use is refused, with its version", async () => {
  const { code, details } = await refusal(await listen(answering(bulk("redis_version:6.0.16\r\n"))));
  expect(code).toBe("valkey_unusable");
  expect(details).toMatchObject({ cause: "version too old", detail: expect.stringContaining("6.0.16") as string });
});

test.each([
  ["redis_version:6.2.0\r\nmaxmemory_policy:allkeys-lru\r\n", "redis", "6.2.0", "allkeys-lru"],
  ["redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.3\r\n", "valkey", "8.1.3", "unknown"],
  ["redis_version:10.0.0\r\nmaxmemory_policy:noeviction\r\n", "redis", "10.0.0", "noeviction"],
])("INFO %j is read", async (info, product, version, evictionPolicy) => {
  const findings = await probeValkey(await listen(answering(bulk(info))), { timeoutMs: 2000 });
  expect(findings).toMatchObject({ product, version, evictionPolicy, tls: false });
  expect(findings.latencyMs).toBeGreaterThan(0);
});

test("connecting fails as the probe does, and at once", async () => {
  const address = await listen(createServer((socket) => socket.destroy()));
  const connecting = connectValkey({ address, clock: systemClock, onFault: () => undefined, onState: () => undefined });
  await expect(connecting).rejects.toMatchObject({ code: "valkey_unreachable" });
});
