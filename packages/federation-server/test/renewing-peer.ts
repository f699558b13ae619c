import { newId } from "@mosaicstack/foundation";
import { createSigningRequest, type OwnSigningRequest, RENEWAL_PATH } from "@mosaicstack/federation-protocol";
import { GRANT_LIMITS } from "../src/index.ts";
import { addUser, type Answer, inviteOf, type PeerKeys, type ServingGateway } from "./serving-gateway.ts";

export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;
export const admin = { userId: newId(), isAdmin: true };
const scope = { resources: ["tasks"], include_personal: true };

/** A peer of a grant of its own. */
export interface Peer {
  readonly grantId: string;
  readonly token: string;
  readonly own: OwnSigningRequest;
  readonly keys: PeerKeys;
}

/** Keys as a peer presents them, of an answer that carries a certificate. */
export function keysOf(json: Record<string, unknown>, own: OwnSigningRequest): PeerKeys {
  const { certificate, chain } = json as { certificate: string; chain: string[] };
  return { cert: [certificate, ...chain].join("\n"), key: own.privateKeyPem };
}

/** Makes a grant and has a peer enroll for it, which has not called yet. */
export async function join(gateway: ServingGateway, expiresAt: Date | null = null): Promise<Peer> {
  const subject = await addUser(gateway.store, `ada-${newId()}`);
  const { grant, invite } = await gateway.grants.create(admin, {
    name: "home",
    subject,
    scope,
    expiresAt,
    // What limits a grant has tests of its own; here a quick machine is to ask as often as it can.
    requestsPerMinute: GRANT_LIMITS.requestsPerMinute.most,
  });
  return { grantId: grant.id, ...(await redeemInvite(gateway, invite.url)) };
}

export async function redeemInvite(gateway: ServingGateway, url: string): Promise<Omit<Peer, "grantId">> {
  const own = await createSigningRequest();
  const { token } = inviteOf(url);
  const answer = await gateway.enrollment.redeem({ protocol: 1, token, csr: own.csrPem });
  return { token, own, keys: keysOf(answer, own) };
}

/** Asks for the next certificate, for a new key unless one is given. */
export async function askNext(
  gateway: ServingGateway,
  keys: PeerKeys,
  own?: OwnSigningRequest,
): Promise<{ answer: Answer; own: OwnSigningRequest; keys: PeerKeys }> {
  const next = own ?? (await createSigningRequest());
  const answer = await gateway.ask(gateway.agent(keys), RENEWAL_PATH, { csr: next.csrPem });
  return { answer, own: next, keys: answer.status === 200 ? keysOf(answer.json, next) : keys };
}

/** The next certificate's keys. @throws Error where there are none */
export async function renew(gateway: ServingGateway, keys: PeerKeys, own?: OwnSigningRequest): Promise<PeerKeys> {
  const next = await askNext(gateway, keys, own);
  if (next.answer.status !== 200) throw new Error(next.answer.text);
  return next.keys;
}

/** What a call with these keys comes to: `200`, a code, or `dropped: <why>`, as this gateway recorded it. */
export async function callWith(gateway: ServingGateway, keys: Partial<PeerKeys>): Promise<string> {
  return await outcomeOf(gateway, () => gateway.ask(gateway.agent(keys), "capabilities", {}));
}

export async function outcomeOf(gateway: ServingGateway, ask: () => Promise<Answer>): Promise<string> {
  return await ask().then(
    ({ status, json }) => (status === 200 ? "200" : String(json["code"])),
    () => `dropped: ${gateway.records.at(-1)?.outcome}`,
  );
}
