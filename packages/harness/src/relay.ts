import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * What a relay does with bytes. `hang`: it takes them and passes nothing on, nor says that it is gone, like a host that has
 * lost its network. `swallow answers`: what is asked arrives, and the connection breaks at the first byte of the answer.
 */
export type RelayMode = "pass" | "hang" | "swallow answers";

/** A TCP relay in front of a listener: where a test makes a network fail, and counts its connections. */
export interface Relay {
  readonly port: number;
  /** Where new connections go, on this machine. */
  target(port: number): void;
  /** For connections there are, and new ones. */
  behave(mode: RelayMode): void;
  /** Connections open through it. */
  connections(): number;
  stop(): Promise<void>;
}

/** A port nobody listens on, for a listener that has to be told its port before it has one. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  return port;
}

/** Listens on a free loopback port. */
export async function startRelay(): Promise<Relay> {
  let targetPort = 0;
  let mode: RelayMode = "pass";
  const sockets = new Set<Socket>();

  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    sockets.add(near);
    const end = (): void => {
      sockets.delete(near);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("error", end).on("close", end);
    near.on("data", (bytes) => {
      if (mode !== "hang") far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (mode === "pass") near.write(bytes);
      else if (mode === "swallow answers") end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });

  return {
    port: (server.address() as AddressInfo).port,
    target(port) {
      targetPort = port;
    },
    behave(next) {
      mode = next;
    },
    connections: () => sockets.size,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
