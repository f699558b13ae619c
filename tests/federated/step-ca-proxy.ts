import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { openStepCaAuthority } from "@mosaicstack/certificate-authority";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";
import type { Json, StepCaFiles } from "@mosaicstack/harness";
import { decodeJwt } from "jose";
import { optionsOf, type PrivateStepCa } from "./step-ca-authority.ts";

const HOST = "127.0.0.1";
const SIGN = "/1.0/sign";
const DAY_MS = 86_400_000;
const unchanged = (asked: Json): Json => asked;

/** Stands between a gateway and its step-ca, with a certificate of that step-ca: sees what is asked and signed, and can hold it up. */
export interface StepCaProxy {
  /** What the gateway is given in place of step-ca's own. */
  readonly files: StepCaFiles;
  /** The peers' certificates that step-ca has signed, in order, delivered or not: PEM, each with its issuers. */
  readonly signed: readonly string[];
  /** Every one-time token that came by. */
  readonly tokens: readonly string[];
  /** From here on, until `release`, answers that carry a certificate wait. A gateway waits 5 s for one. */
  hold(): { readonly isHeld: Promise<void>; release(): void };
  /** What step-ca is asked to sign for peers is changed on the way. Default: not any more. */
  alter(change?: (asked: Json) => Json): void;
  stop(): Promise<void>;
}

export async function startStepCaProxy(stepCa: PrivateStepCa): Promise<StepCaProxy> {
  const { certificate, key } = await serverCertificate(stepCa);
  const signed: string[] = [];
  const tokens: string[] = [];
  let gate = Promise.resolve();
  let onHeld = (): void => undefined;
  let change = unchanged;

  async function forward(asked: IncomingMessage): Promise<{ readonly status: number; readonly body: Buffer }> {
    const path = asked.url ?? "/";
    const text = (await contentOf(asked)).toString();
    const body: Json = text === "" ? undefined : JSON.parse(text);
    if (body !== undefined) tokens.push(body.ott);
    const isForPeer = path === SIGN && decodeJwt(body.ott).iss === stepCa.gateway.provisioner;
    const answer = await askStepCa(asked.method ?? "GET", path, isForPeer ? change(body) : body);
    if (isForPeer && answer.status === 201) {
      signed.push(JSON.parse(answer.body.toString()).certChain.join("\n"));
      onHeld();
      await gate;
    }
    return answer;
  }

  function askStepCa(method: string, path: string, body: unknown): ReturnType<typeof forward> {
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      request(new URL(path, stepCa.url), { method, ca: stepCa.rootPem, agent: false, headers }, (answer) => {
        contentOf(answer).then((read) => resolve({ status: answer.statusCode ?? 0, body: read }), reject);
      })
        .once("error", reject)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  const server = createServer({ cert: certificate, key }, (asked, answer) => {
    forward(asked).then(
      ({ status, body }) => answer.writeHead(status, { "content-length": body.length }).end(body),
      () => answer.destroy(),
    );
  });
  server.listen(0, HOST);
  await once(server, "listening");

  return {
    files: { ...stepCa.gateway, url: `https://${HOST}:${(server.address() as AddressInfo).port}` },
    signed,
    tokens,
    hold() {
      let release = (): void => undefined;
      gate = new Promise((resolve) => (release = resolve));
      return { isHeld: new Promise((resolve) => (onHeld = resolve)), release: () => release() };
    },
    alter(next = unchanged) {
      change = next;
    },
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serverCertificate(
  stepCa: PrivateStepCa,
): Promise<{ readonly certificate: string; readonly key: string }> {
  const { csrPem, privateKeyPem } = await createSigningRequest();
  const reading = await readSigningRequest(csrPem);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const authority = await openStepCaAuthority(await optionsOf(stepCa));
  const { certificatePem, chainPem } = await authority.issue({
    kind: "server",
    csr: reading.der,
    dnsNames: [],
    ipAddresses: [HOST],
    notAfter: new Date(Date.now() + DAY_MS),
  });
  return { certificate: [certificatePem, ...chainPem].join("\n"), key: privateKeyPem };
}

async function contentOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
