import { constants } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type TLSSocket } from "node:tls";

interface End {
  /** The certificate, and what stands between it and the root. */
  readonly cert: string;
  readonly key: string;
}

/** What one side thinks of the other. */
export interface Verdict {
  readonly protocol?: string | null;
  readonly authorized?: boolean;
  /** The code of the refusal. */
  readonly refusal?: string;
  /** The certificate that came, DER. */
  readonly peerCertificate?: Buffer;
}

/**
 * One real TLS 1.3 handshake on loopback, to the host `localhost`, with certificates on both sides. The server tells what
 * it thinks and does not hang up, as the gateway's own listener does.
 */
export async function shakeHands({
  server,
  client,
  rootPem,
}: {
  readonly server: End;
  readonly client: End;
  readonly rootPem: string;
}): Promise<{ readonly server: Verdict; readonly client: Verdict }> {
  const listener = createServer({
    ...server,
    ca: rootPem,
    minVersion: "TLSv1.3",
    requestCert: true,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  const seen = new Promise<Verdict>((resolve) => {
    listener.on("secureConnection", (socket: TLSSocket) => {
      socket.on("error", () => socket.destroy());
      resolve({
        protocol: socket.getProtocol(),
        authorized: socket.authorized,
        ...(socket.authorized ? {} : { refusal: String(socket.authorizationError) }),
        peerCertificate: socket.getPeerX509Certificate()?.raw ?? Buffer.alloc(0),
      });
    });
    // The client hung up in mid-handshake: its own verdict says why.
    listener.on("tlsClientError", (_, socket) => {
      socket.destroy();
      resolve({});
    });
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const socket = connect({
    ...client,
    ca: rootPem,
    minVersion: "TLSv1.3",
    host: "127.0.0.1",
    port: (listener.address() as AddressInfo).port,
    servername: "localhost",
  });
  const settled = new Promise<Verdict>((resolve) => {
    socket.on("secureConnect", () => resolve({ protocol: socket.getProtocol(), authorized: socket.authorized }));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve({ refusal: error.code ?? error.message }));
  });
  try {
    const own = await settled;
    return { client: own, server: await seen };
  } finally {
    socket.destroy();
    listener.close();
  }
}
