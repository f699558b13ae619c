import { X509Certificate } from "node:crypto";
import { request } from "node:https";
import {
  createSigningRequest,
  formatInvite,
  type Invite,
  type OwnSigningRequest,
  readInvite,
  RENEWAL_PATH,
  serialOf,
  verbPath,
} from "@mosaicstack/federation-protocol";
import type { Json, TestGateway } from "@mosaicstack/harness";

/** A key and its certificate, held by a peer that is no gateway: it keeps each one it ever had. */
export interface PeerKeys {
  /** The certificate, then its issuers. */
  readonly cert: string;
  readonly key: string;
  readonly root: string;
  /** Lower-case hex. */
  readonly serial: string;
}

export interface Answered {
  readonly status: number;
  readonly json: Json;
}

function partsOf(text: string): Invite {
  const reading = readInvite(text);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  return reading.invite;
}

/** The same invite, to be redeemed at another process of the gateway. */
export function inviteAt({ url }: Pick<TestGateway, "url">, invite: string): string {
  return formatInvite({ ...partsOf(invite), enrollUrl: `${url}/enroll` });
}

/** Posts an invite's token with a signing request. */
export async function redeem(invite: string, { csrPem: csr }: OwnSigningRequest): Promise<Answered> {
  const { enrollUrl, token } = partsOf(invite);
  const headers = { "content-type": "application/json" };
  const answer = await fetch(enrollUrl, { method: "POST", headers, body: JSON.stringify({ protocol: 1, token, csr }) });
  return { status: answer.status, json: await answer.json() };
}

/** @throws Error with the answer where it carries no certificate */
export function keysOf({ status, json }: Answered, own: OwnSigningRequest, root: string = json.root): PeerKeys {
  if (status !== 200 && status !== 201) throw new Error(`${status} ${JSON.stringify(json)}`);
  const serial = serialOf(new X509Certificate(json.certificate));
  return { cert: [json.certificate, ...json.chain].join("\n"), key: own.privateKeyPem, root, serial };
}

/** Enrolls with a new key. */
export async function joinBy(invite: string): Promise<PeerKeys> {
  const own = await createSigningRequest();
  return keysOf(await redeem(invite, own), own);
}

/** One request on a connection of its own; `cut`: it ended without an answer. */
export async function ask(
  work: Pick<TestGateway, "federationUrl">,
  path: string,
  body: unknown,
  { cert, key, root: ca }: PeerKeys,
): Promise<Answered | "cut"> {
  return await new Promise((resolve) => {
    const headers = { "content-type": "application/json" };
    const url = new URL(path, work.federationUrl);
    request(url, { method: "POST", agent: false, ca, cert, key, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.once("error", () => resolve("cut"));
      answer.once("end", () => {
        resolve({ status: answer.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString()) });
      });
    })
      .once("error", () => resolve("cut"))
      .end(JSON.stringify(body));
  });
}

/** The status of a list of tasks, the code of its refusal, or `cut`. */
export async function listAs(keys: PeerKeys, work: Pick<TestGateway, "federationUrl">): Promise<number | string> {
  const answer = await ask(work, verbPath("list"), { resource: "tasks", limit: 10 }, keys);
  if (answer === "cut") return answer;
  return answer.status === 200 ? 200 : answer.json.code;
}

/** Asks for the next certificate, for a new key. A minute has to pass between two of a grant: here it has. */
export async function askNext(
  keys: PeerKeys,
  work: Pick<TestGateway, "federationUrl" | "store">,
): Promise<{ readonly answer: Answered | "cut"; readonly own: OwnSigningRequest }> {
  const passed = `update federation_certificates set issued_at = issued_at - interval '61 seconds'
    where serial = $1 returning serial`;
  await work.store.query(passed, [keys.serial]);
  const own = await createSigningRequest();
  return { answer: await ask(work, RENEWAL_PATH, { csr: own.csrPem }, keys), own };
}

/** The next key and certificate. @throws Error with the refusal */
export async function renew(keys: PeerKeys, work: Pick<TestGateway, "federationUrl" | "store">): Promise<PeerKeys> {
  const { answer, own } = await askNext(keys, work);
  if (answer === "cut") throw new Error("cut");
  return keysOf(answer, own, keys.root);
}
