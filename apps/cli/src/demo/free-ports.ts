import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";

const LOOPBACK = "127.0.0.1";

/** Opens a port, or undefined when somebody else has it. */
async function open(port: number): Promise<Server | undefined> {
  const server = createServer();
  try {
    server.listen(port, LOOPBACK);
    await once(server, "listening");
    return server;
  } catch {
    return undefined;
  }
}

/**
 * Ports on loopback that nobody listens on: those that are wanted where they are free, any other where not. All are held
 * at once before they are let go, so no two are the same.
 */
export async function choosePorts(wanted: readonly number[]): Promise<number[]> {
  const held: Server[] = [];
  try {
    for (const port of wanted) {
      const server = (await open(port)) ?? (await open(0));
      if (server === undefined) throw new Error("no port of this machine's loopback address can be opened");
      held.push(server);
    }
    return held.map((server) => (server.address() as AddressInfo).port);
  } finally {
    await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
