import type { AuditQueue } from "@mosaicstack/storage";
import type { PeerExchange } from "./peer-exchange.ts";

/** Where requests to peers are recorded. Recording waits for nothing: a full queue counts what it does not take. */
export type QueryingAudit = Pick<AuditQueue, "record" | "queryHash">;

/** Whose request it is, and of which grant. */
export interface AskedPeer {
  readonly id: string;
  readonly userId: string;
  readonly remoteGrantId: string;
}

/** Records each exchange with one peer, under the user it belongs to. The question is hashed, and never kept. */
export function exchangeRecorder(audit: QueryingAudit, { id, userId, remoteGrantId }: AskedPeer) {
  return ({ request, ...exchange }: PeerExchange): void => {
    const resource = request !== undefined && "resource" in request ? request.resource : undefined;
    audit.record({
      side: "querying",
      event: "request",
      grantId: remoteGrantId,
      peerId: id,
      subjectUserId: userId,
      ...exchange,
      // A certificate is renewed by the gateway itself.
      ...(exchange.verb === "renew" ? {} : { actorUserId: userId }),
      ...(typeof resource === "string" ? { resource } : {}),
      ...(request === undefined ? {} : { queryHash: audit.queryHash(exchange.verb, request) }),
    });
  };
}
