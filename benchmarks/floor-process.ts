// The floor: what Node's own TLS and HTTP cost for the same bytes after the same statement. Ends on SIGTERM.
import { constants } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";
import { issueServerCertificate } from "@mosaicstack/federation-server";
import { newId, systemClock } from "@mosaicstack/foundation";
import { everythingOf, listRows, resourceNamed } from "@mosaicstack/resources";
import { type DatabasePlace, openPlace } from "./databases.ts";

/** What the floor is started with, as JSON in its first argument. */
export interface FloorInput {
  readonly database: DatabasePlace;
  readonly subjectUserId: string;
  readonly limit: number;
}

/** What it prints once it listens: one line of JSON. */
export interface FloorReady {
  readonly url: string;
  readonly rootPem: string;
  readonly cert: string;
  readonly key: string;
}

const { database, subjectUserId, limit } = JSON.parse(process.argv[2] ?? "") as FloorInput;
const clock = systemClock;
const store = await openPlace(database);

// A certificate authority, a server certificate and a client certificate as federation makes them.
const material = await createEmbeddedAuthority({ clock });
const authority = await openEmbeddedAuthority({ ...material, clock });
const server = await issueServerCertificate(authority, clock, []);
const own = await createSigningRequest();
const request = await readSigningRequest(own.csrPem);
if (request.kind === "malformed") throw new Error(request.reason);
const client = await authority.issue({
  kind: "client",
  csr: request.der,
  identity: { grantId: newId(), subjectUserId },
  notAfter: new Date(Date.now() + 86_400_000),
});

const tasks = resourceNamed("tasks");
const listener = createServer(
  {
    cert: server.cert,
    key: server.key,
    ca: material.rootPem,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
    secureOptions: constants.SSL_OP_NO_TICKET,
    keepAliveTimeout: 60_000,
  },
  (incoming, outgoing) => {
    incoming.resume();
    incoming.once("end", () => {
      listRows(store, tasks, everythingOf(subjectUserId), { limit }, "federated").then(
        ({ json, more }) => {
          const body = Buffer.from(`{"rows":${json},"more":${more},"limit":${limit}}`);
          outgoing.writeHead(200, { "content-type": "application/json; charset=utf-8", "content-length": body.length });
          outgoing.end(body);
        },
        (error: unknown) => {
          console.error(error);
          outgoing.writeHead(500).end();
        },
      );
    });
  },
);
listener.listen(0, "127.0.0.1", () => {
  const ready: FloorReady = {
    url: `https://127.0.0.1:${(listener.address() as AddressInfo).port}/`,
    rootPem: material.rootPem,
    cert: client.certificatePem,
    key: own.privateKeyPem,
  };
  console.log(JSON.stringify(ready));
});

process.once("SIGTERM", () => {
  listener.closeAllConnections();
  listener.close(() => void store.close());
});
