import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/**
 * What a relay does with bytes.
 * - `hang`: it takes them and passes nothing on, nor says that it is gone, like a host that has lost its network; a new
 *   connection is accepted, and its TLS handshake is never answered.
 * - `swallow answers`: what is asked arrives, and the connection breaks at the first byte of the answer.
 * - `reset`: every connection is ended with a TCP RST, a new one at once.
 * - `stall handshake`: connections are ended, and on a new one the first bytes of the TLS handshake's answer come and no more.
 * - `drip`: an answer comes a byte at a time, one each 20 ms: never silent for long, and never done.
 */
export type RelayMode = "pass" | "hang" | "swallow answers" | "reset" | "stall handshake" | "drip";

const DRIP_MS = 20;
/** Less than a ServerHello. */
const STALLED_AFTER_BYTES = 64;

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
    if (mode === "reset") return void near.resetAndDestroy();
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
    const answer = dripTo(near, () => mode === "drip");
    let isStalled = false;
    far.on("data", (bytes) => {
      if (isStalled || mode === "hang") return;
      if (mode === "swallow answers") return end();
      if (mode !== "stall handshake") {
        answer(bytes);
        // A large answer waits where it comes from, and not in here.
        if (near.writableNeedDrain && !far.isPaused()) {
          far.pause();
          near.once("drain", () => far.resume());
        }
        return;
      }
      isStalled = true;
      near.write(bytes.subarray(0, STALLED_AFTER_BYTES));
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
      if (next === "reset") for (const socket of sockets) socket.resetAndDestroy();
      if (next === "stall handshake") for (const socket of sockets) socket.destroy();
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

/** Writes to a socket in the order it was asked to, at once or, while `isSlow`, a byte at a time. */
function dripTo(socket: Socket, isSlow: () => boolean): (bytes: Buffer) => void {
  let waiting: Buffer = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  const drip = (): void => {
    const now = isSlow() ? 1 : waiting.length;
    if (!socket.destroyed) socket.write(waiting.subarray(0, now));
    waiting = waiting.subarray(now);
    timer = waiting.length > 0 && !socket.destroyed ? setTimeout(drip, DRIP_MS) : undefined;
  };
  return (bytes) => {
    waiting = Buffer.concat([waiting, bytes]);
    if (timer === undefined) drip();
  };
}
