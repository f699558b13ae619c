import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";
import { systemClock } from "@mosaicstack/foundation";
import {
  type CertificateAuthority,
  createEmbeddedAuthority,
  openEmbeddedAuthority,
  type RevokedSerial,
} from "../src/index.ts";

/** What reached it. */
export interface Received {
  readonly path: string;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A server in step-ca's place, with the right certificate, that answers whatever a test wants. */
export interface HostileStepCa {
  readonly url: string;
  /** Signs whatever it is asked to, as the pinned root. */
  readonly authority: CertificateAuthority;
  readonly revoked: RevokedSerial[];
  readonly received: Received[];
  answer: (received: Received, response: ServerResponse) => void | Promise<void>;
  close(): void;
}

export async function startHostileStepCa(): Promise<HostileStepCa> {
  const revoked: RevokedSerial[] = [];
  const authority = await openEmbeddedAuthority({
    ...(await createEmbeddedAuthority({ clock: systemClock })),
    clock: systemClock,
    revokedSerials: { list: async () => revoked },
  });
  const own = await createSigningRequest();
  const reading = await readSigningRequest(own.csrPem);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const notAfter = new Date(Date.now() + 3_600_000);
  const { certificatePem } = await authority.issue({
    kind: "server",
    csr: reading.der,
    dnsNames: [],
    ipAddresses: ["127.0.0.1"],
    notAfter,
  });
  const received: Received[] = [];
  const server = createServer(
    { cert: certificatePem, key: own.privateKeyPem },
    (request, response) => void serve(request, response),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const hostile: HostileStepCa = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authority,
    revoked,
    received,
    answer: (_, response) => void response.writeHead(500).end(),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const text = Buffer.concat(parts).toString("utf8");
    const one = {
      path: request.url ?? "",
      text,
      json: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
    received.push(one);
    if (one.path === "/intermediates") answerJson(response, 200, { crts: [authority.rootPem] });
    else await hostile.answer(one, response);
  }
  return hostile;
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
