import type { TestGateway, TestUser } from "./gateway.ts";
import type { Json } from "./rest-client.ts";

export interface NewPeer {
  /** A user of the serving gateway: id, e-mail or name. */
  readonly subject: string;
  readonly scope: unknown;
  /** The peer's name on the querying gateway. Default: the serving gateway's. */
  readonly peer?: string;
  readonly expiresAt?: string;
}

/** A grant as its administrator made it, and the peer it became. Both as REST answered. */
export interface Enrolled {
  readonly grant: Json;
  readonly invite: string;
  readonly peer: Json;
}

/** What both people do: the administrator of `work` makes a grant, and the user of a home gateway adds the peer by its invite. */
export async function enroll(homeUser: TestUser, work: TestGateway, wanted: NewPeer): Promise<Enrolled> {
  const { grant, invite } = await work.admin.api.json("POST", "/api/v1/federation/grants", {
    name: `for ${homeUser.name}`,
    subject: wanted.subject,
    scope: wanted.scope,
    ...GENEROUS_LIMITS,
    ...(wanted.expiresAt === undefined ? {} : { expires_at: wanted.expiresAt }),
  });
  const name = wanted.peer ?? work.name;
  return { grant, invite, peer: await homeUser.api.json("POST", "/api/v1/federation/peers", { invite, name }) };
}

/** Tests ask faster than people do. One that is about limits edits the grant. */
export const GENEROUS_LIMITS = { requests_per_minute: 1_000_000, concurrent_requests: 1_000 };
