import type { Peer, Peers } from "@mosaicstack/federation-client";
import { peerSource } from "@mosaicstack/federation-protocol";
import type { Grants } from "@mosaicstack/federation-server";
import type { Clock } from "@mosaicstack/foundation";
import { text, title } from "@mosaicstack/resources";
import type { AuditQueueStatus } from "@mosaicstack/storage";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { sourceWarning } from "../http/answers.ts";
import { actorOf } from "./grant-routes.ts";
import { createRenewalLimit } from "./renewal-limit.ts";

const peerSchema = z.object({
  name: z.string(),
  state: z.enum(["pending", "active", "degraded", "revoked", "expired"]),
  source: z.string().describe("What to give as `source` to read from this peer alone"),
  endpoint: z.string().nullable(),
  grant_id: z.uuid().nullable(),
  not_after: z.iso.datetime().nullable().describe("The end of the client certificate's life"),
  generation: z.int().describe("Which of the grant's certificates is in use, counted from 1; 0 until enrolled"),
  degraded_since: z.iso
    .datetime()
    .nullable()
    .describe("Since when the certificate's renewal fails, or the peer is not where it says it is"),
  renew_at: z.iso.datetime().nullable().describe("When the certificate is renewed, or tried to be again"),
  renew_error: z
    .string()
    .nullable()
    .describe("Why the last renewal failed, what ended the peer, or `peer_address_unusable`: an error code"),
  warning: sourceWarning.nullable().describe("What you should see to while the peer answers still; null: nothing"),
  last_success_at: z.iso.datetime().nullable(),
  last_failure_at: z.iso.datetime().nullable(),
  last_failure: z.string().nullable().describe("The last failure's error code"),
  last_failure_reason: z
    .string()
    .nullable()
    .describe("More than the code says, e.g. `crl_stale`: why the peer's CRL proved no revocation"),
  created_at: z.iso.datetime(),
});

const statusSchema = z.object({
  endpoint: z.string().describe("Where this gateway answers peers"),
  peers: z.array(peerSchema),
  peers_of_others: z
    .object({
      degraded: z.int().describe("Renewal fails, or they are not where they say they are"),
      expired: z.int().describe("Their users need new invites"),
    })
    .optional()
    .describe("For administrators alone: how many peers of other users need attention. Which, the gateway's log says"),
  grants: z.record(z.string(), z.int()).describe("How many grants you may see are in each state"),
  audit: z
    .object({
      queued: z.int().describe("Entries that are not in the database yet"),
      dropped: z.int().describe("Entries there was no room for since the gateway started"),
      failing: z.boolean().describe("Whether the database does not take them"),
    })
    .describe("Of the audit log"),
});

const newPeerSchema = z.strictObject({
  invite: text(2048).describe("The enrollment URL, whole"),
  name: title(63).optional().describe("Lower-case letters, digits and hyphens; default: from the invite's host"),
});

const checkSchema = z.object({
  enroll_url: z.string().describe("Where the invite would be redeemed"),
  ca_fingerprint: z.string().describe("SHA-256 of the root certificate that the invite pins"),
  trusted_by: z.enum(["pinned-root", "public-ca", "loopback"]).describe("What vouches for the server"),
  clock_skew_seconds: z.int().nullable().describe("The gateway's clock less this one's; null: it told no time"),
});

const byName = z.strictObject({ name: z.string() });

function peerJson(peer: Peer): z.output<typeof peerSchema> {
  return {
    name: peer.name,
    state: peer.state,
    source: peerSource(peer.name),
    endpoint: peer.endpoint,
    grant_id: peer.remoteGrantId,
    not_after: instant(peer.notAfter),
    generation: peer.generation,
    degraded_since: instant(peer.degradedSince),
    renew_at: instant(peer.renewAt),
    renew_error: peer.renewError,
    warning: peer.warning,
    last_success_at: instant(peer.lastSuccessAt),
    last_failure_at: instant(peer.lastFailureAt),
    last_failure: peer.lastFailure,
    last_failure_reason: peer.lastFailureReason,
    created_at: peer.createdAt.toISOString(),
  };
}

function instant(at: Date | null): string | null {
  return at?.toISOString() ?? null;
}

/** The gateways a user reads from. Each belongs to the user who added it, administrators included. */
export function peerRoutes(
  untyped: FastifyInstance,
  {
    peers,
    grants,
    endpoint,
    auditStatus,
    clock,
  }: {
    readonly peers: Peers;
    readonly grants: Grants;
    readonly endpoint: () => string;
    readonly auditStatus: () => AuditQueueStatus;
    readonly clock: Clock;
  },
): void {
  const app = untyped.withTypeProvider<ZodTypeProvider>();
  const config = { access: "user" } as const;
  const tags = ["federation"];
  const path = "/api/v1/federation/peers";
  const renewals = createRenewalLimit({ clock });

  app.get(
    path,
    {
      config,
      schema: { summary: "List your peers", tags, response: { 200: z.object({ peers: z.array(peerSchema) }) } },
    },
    async ({ principal }) => ({ peers: (await peers.list(principal.userId)).map(peerJson) }),
  );

  app.post(
    path,
    {
      config: { ...config, audit: { event: "enrollment" } },
      schema: {
        summary: "Add a peer by its invite, or give one a new certificate",
        tags,
        body: newPeerSchema,
        response: { 201: peerSchema },
      },
    },
    async ({ principal, body }, reply) =>
      await reply.code(201).send(peerJson(await peers.add(principal.userId, body.invite, body.name))),
  );

  app.post(
    `${path}/check`,
    {
      config: { ...config, audit: { unaudited: "no token is sent, and nothing changes" } },
      schema: {
        summary: "Check an invite without redeeming it",
        description:
          "Reaches the invite's gateway, and checks its certificate against the pin and its clock against this one's.",
        tags,
        body: newPeerSchema.pick({ invite: true }),
        response: { 200: checkSchema },
      },
    },
    async ({ body }) => {
      const { enrollUrl, caFingerprint, trustedBy, clockSkewSeconds } = await peers.check(body.invite);
      return {
        enroll_url: enrollUrl,
        ca_fingerprint: caFingerprint,
        trusted_by: trustedBy,
        clock_skew_seconds: clockSkewSeconds,
      };
    },
  );

  app.post(
    `${path}/:name/renew`,
    {
      config: { ...config, audit: { event: "renewal" } },
      schema: { summary: "Renew a peer's certificate now", tags, params: byName, response: { 200: peerSchema } },
    },
    async ({ principal: { userId }, params: { name } }) =>
      peerJson(await renewals.run({ userId, name }, () => peers.renew(userId, name))),
  );

  app.get(
    `${path}/:name`,
    { config, schema: { summary: "Show a peer", tags, params: byName, response: { 200: peerSchema } } },
    async ({ principal, params }) => peerJson(await peers.get(principal.userId, params.name)),
  );

  app.delete(
    `${path}/:name`,
    {
      config: { ...config, audit: { event: "peer.removed" } },
      schema: { summary: "Forget a peer and its key", tags, params: byName, response: { 204: z.null() } },
    },
    async ({ principal, params }, reply) => {
      await peers.remove(principal.userId, params.name);
      return await reply.code(204).send(null);
    },
  );

  app.get(
    "/api/v1/federation/status",
    { config, schema: { summary: "Peers and grants at a glance", tags, response: { 200: statusSchema } } },
    async (request) => {
      const actor = actorOf(request);
      const [own, visible, ofOthers] = await Promise.all([
        peers.list(actor.userId),
        grants.list(actor),
        actor.isAdmin ? peers.countTroubledOfOthers(actor.userId) : undefined,
      ]);
      const counts: Record<string, number> = {};
      for (const { status } of visible) counts[status] = (counts[status] ?? 0) + 1;
      const { queued, dropped, failing } = auditStatus();
      return {
        endpoint: endpoint(),
        peers: own.map(peerJson),
        ...(ofOthers === undefined ? {} : { peers_of_others: { ...ofOthers } }),
        grants: counts,
        audit: { queued, dropped, failing },
      };
    },
  );
}
