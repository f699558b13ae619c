import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ValkeyAddress } from "./address.ts";

/** Anything that answers as Redis does: it pongs, or wants a password first. */
const ANSWER = /^(?:\+PONG|-NOAUTH|-DENIED|-ERR|-LOADING)/;

/**
 * Whether the server speaks TLS where the address says it doesn't, or the other way round. Neither side says so itself:
 * Redis waits for the end of what it takes for a command, or closes. Sends no password.
 */
export function speaksOtherTransport({ host, port, tls }: ValkeyAddress, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    let socket: Socket;
    const done = (found: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(found);
    };
    const timer = setTimeout(() => done(false), timeoutMs);
    if (tls) {
      socket = connectPlain({ host, port }, () => socket.write("PING\r\n"));
      socket.on("data", (chunk: Buffer) => done(ANSWER.test(chunk.toString("latin1"))));
    } else {
      // Whose certificate it is doesn't matter here.
      socket = connectTls({ host, port, rejectUnauthorized: false }, () => done(true));
    }
    socket.on("error", () => done(false));
    socket.on("close", () => done(false));
  });
}
