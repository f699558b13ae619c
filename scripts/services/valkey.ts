import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { connect as connectPlain } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { run } from "./command.ts";
import { freePort, HOST } from "./free-port.ts";
import type { Server } from "./server.ts";
import type { Service } from "./service.ts";

export interface ValkeyOptions {
  /** Default: a random one. Letters, digits, `-` and `_` alone. */
  readonly password?: string;
  /** The only user, where given; the default user is then off. */
  readonly username?: string;
  /** PEM: serves TLS, and nothing else. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** What it does when memory runs out. Default `noeviction`, the only one a queue can live with. */
  readonly evictionPolicy?: "noeviction" | "allkeys-lru" | "volatile-lru";
}

export interface ValkeyServer extends Server {
  readonly username?: string;
  readonly password: string;
  readonly url: string;
}

export const valkey: Service = {
  name: "valkey",
  variables: ["MOSAIC_TEST_VALKEY_URL"],
  endsOn: "SIGTERM",
  async prepare(directory) {
    const server = await prepareValkey(directory);
    return { ...server, environment: { MOSAIC_TEST_VALKEY_URL: server.url } };
  },
};

/** A new, empty Valkey, or Redis where only that is installed. */
export async function prepareValkey(directory: string, options: ValkeyOptions = {}): Promise<ValkeyServer> {
  const { password = randomBytes(18).toString("base64url"), username, tls, evictionPolicy = "noeviction" } = options;
  const { program, description } = await installed();
  const port = await freePort();
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  const settings = [
    `bind ${HOST}`,
    `dir ${directory}`,
    `maxmemory-policy ${evictionPolicy}`,
    // Data outlives the server's death, not the machine's.
    'save ""',
    "appendonly yes",
    "appendfsync no",
  ];
  if (username === undefined) settings.push(`requirepass ${password}`);
  else settings.push("user default off", `user ${username} on >${password} ~* &* +@all`);
  if (tls === undefined) settings.push(`port ${port}`);
  else {
    settings.push("port 0", `tls-port ${port}`, "tls-auth-clients no");
    settings.push(`tls-cert-file ${await write("tls.crt", tls.certificate)}`);
    settings.push(`tls-key-file ${await write("tls.key", tls.key)}`);
  }
  const scheme = tls === undefined ? "redis" : "rediss";
  return {
    name: "valkey",
    description,
    directory,
    host: HOST,
    port,
    ...(username === undefined ? {} : { username }),
    password,
    url: `${scheme}://${username ?? ""}:${password}@${HOST}:${port}/0`,
    program,
    // The password is in the file, not among the parameters.
    parameters: [await write("valkey.conf", `${settings.join("\n")}\n`)],
    endsOn: valkey.endsOn,
    answers: () => answersPing(port, `AUTH ${username ?? "default"} ${password}\r\nPING\r\n`, tls !== undefined),
  };
}

async function installed(): Promise<{ readonly program: string; readonly description: string }> {
  for (const [program, product] of [
    ["valkey-server", "Valkey"],
    ["redis-server", "Redis"],
  ] as const) {
    const said = await run(program, ["--version"]).catch(() => undefined);
    if (said === undefined) continue;
    return { program, description: `${product} ${/\bv=(\S+)/.exec(said)?.[1] ?? ""}`.trim() };
  }
  throw new Error(
    "Neither valkey-server nor redis-server is on the PATH. " +
      "Install one (Debian, Ubuntu: apt-get install valkey-server, or redis-server; macOS: brew install valkey). " +
      "Or give a server you have: MOSAIC_TEST_VALKEY_URL=redis://:password@host:port",
  );
}

function answersPing(port: number, commands: string, tls: boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const target = { host: HOST, port, timeout: 1000 };
    // Whose certificate it is is not what's asked here.
    const socket = tls ? connectTls({ ...target, rejectUnauthorized: false }) : connectPlain(target);
    let heard = "";
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString();
      // Of the two answers; while it still reads its data, the second is an error.
      if (heard.split("\r\n").length > 2) socket.end();
    });
    socket.once("timeout", () => socket.destroy());
    socket.once("error", reject);
    socket.once("close", () => resolve(heard === "+OK\r\n+PONG\r\n"));
    socket.write(commands);
  });
}
