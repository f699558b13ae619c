import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { federationProblem } from "@mosaicstack/federation-protocol";

/** A server that listens, and its connections. */
export interface Listening {
  readonly port: number;
  readonly sockets: Set<Socket>;
  stop(): Promise<void>;
}

/** Opens a server on a free port; stopping it cuts every socket. */
export async function listen(server: Server): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A request's whole body as text. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export function answerJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** A refusal of the protocol's table, as a gateway answers it. */
export function answerProblem(response: ServerResponse, code: keyof typeof federationProblem.table): void {
  const { details, status } = federationProblem(code);
  response.writeHead(status, { "content-type": "application/problem+json" }).end(JSON.stringify(details));
}
