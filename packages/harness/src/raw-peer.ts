import { createSigningRequest, readInvite, type Verb, verbPath } from "@mosaicstack/federation-protocol";
import { Agent } from "undici";
import { GENEROUS_LIMITS } from "./enroll.ts";
import type { TestGateway } from "./gateway.ts";
import type { Json } from "./rest-client.ts";

/** An answer as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: Json;
}

/** A peer that is no gateway: it asks over the wire whatever a test wants, with a client certificate it enrolled for. */
export interface RawPeer {
  readonly grantId: string;
  /** @param origin another replica's listener. Default: the endpoint it was given */
  ask(verb: Verb, body: unknown, origin?: string): Promise<RawAnswer>;
  close(): Promise<void>;
}

/**
 * Makes a grant as the serving gateway's administrator and enrolls for it.
 * @param subject a user of the serving gateway: id, e-mail or name
 * @param limits how often it may ask, and how much at once. Default: as often as a test can
 */
export async function enrollRawPeer(
  work: TestGateway,
  subject: string,
  scope: unknown,
  limits: Readonly<Record<keyof typeof GENEROUS_LIMITS, number>> = GENEROUS_LIMITS,
): Promise<RawPeer> {
  const grantWanted = { name: `raw peer of ${subject}`, subject, scope, ...limits };
  const { grant, invite } = await work.admin.api.json("POST", "/api/v1/federation/grants", grantWanted);
  const reading = readInvite(invite);
  if (reading.kind === "malformed") throw new Error(reading.reason);
  const own = await createSigningRequest();
  const { token } = reading.invite;
  const answer = await work.api().json("POST", "/enroll", { protocol: 1, token, csr: own.csrPem });
  const cert = [answer.certificate, ...answer.chain].join("\n");
  const agent = new Agent({ connections: 8, connect: { ca: answer.root, cert, key: own.privateKeyPem } });
  return {
    grantId: grant.id,
    async ask(verb, body, origin = answer.endpoint) {
      const response = await agent.request({
        origin,
        path: verbPath(verb),
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const text = await response.body.text();
      return { status: response.statusCode, headers: response.headers, text, json: JSON.parse(text) };
    },
    close: () => agent.destroy(),
  };
}
