import type { Peer, Peers } from "@mosaicstack/federation-client";
import { peerSource } from "@mosaicstack/federation-protocol";
import type { Grants } from "@mosaicstack/federation-server";
import { text, title } from "@mosaicstack/resources";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { actorOf } from "./grant-routes.ts";

const peerSchema = z.object({
  name: z.string(),
  state: z.enum(["pending", "active", "degraded", "revoked", "expired"]),
  source: z.string().describe("What to give as `source` to read from this peer alone"),
  endpoint: z.string().nullable(),
  grant_id: z.uuid().nullable(),
  not_after: z.iso.datetime().nullable().describe("The end of the client certificate's life"),
  created_at: z.iso.datetime(),
});

const statusSchema = z.object({
  endpoint: z.string().describe("Where this gateway answers peers"),
  peers: z.array(peerSchema),
  grants: z.record(z.string(), z.int()).describe("How many grants you may see are in each state"),
});

const newPeerSchema = z.strictObject({
  invite: text(2048).describe("The enrollment URL, whole"),
  name: title(63).optional().describe("Lower-case letters, digits and hyphens; default: from the invite's host"),
});

const byName = z.strictObject({ name: z.string() });

function peerJson(peer: Peer): z.output<typeof peerSchema> {
  return {
    name: peer.name,
    state: peer.state,
    source: peerSource(peer.name),
    endpoint: peer.endpoint,
    grant_id: peer.remoteGrantId,
    not_after: peer.notAfter?.toISOString() ?? null,
    created_at: peer.createdAt.toISOString(),
  };
}

/** The gateways a user reads from. Each belongs to the user who added it, administrators included. */
export function peerRoutes(
  untyped: FastifyInstance,
  { peers, grants, endpoint }: { readonly peers: Peers; readonly grants: Grants; readonly endpoint: () => string },
): void {
  const app = untyped.withTypeProvider<ZodTypeProvider>();
  const config = { access: "user" } as const;
  const tags = ["federation"];
  const path = "/api/v1/federation/peers";

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
      config,
      schema: { summary: "Add a peer by its invite", tags, body: newPeerSchema, response: { 201: peerSchema } },
    },
    async ({ principal, body }, reply) =>
      await reply.code(201).send(peerJson(await peers.add(principal.userId, body.invite, body.name))),
  );

  app.get(
    `${path}/:name`,
    { config, schema: { summary: "Show a peer", tags, params: byName, response: { 200: peerSchema } } },
    async ({ principal, params }) => peerJson(await peers.get(principal.userId, params.name)),
  );

  app.delete(
    `${path}/:name`,
    { config, schema: { summary: "Forget a peer and its key", tags, params: byName, response: { 204: z.null() } } },
    async ({ principal, params }, reply) => {
      await peers.remove(principal.userId, params.name);
      return await reply.code(204).send(null);
    },
  );

  app.get(
    "/api/v1/federation/status",
    { config, schema: { summary: "Peers and grants at a glance", tags, response: { 200: statusSchema } } },
    async (request) => {
      const [own, visible] = await Promise.all([peers.list(request.principal.userId), grants.list(actorOf(request))]);
      const counts: Record<string, number> = {};
      for (const { status } of visible) counts[status] = (counts[status] ?? 0) + 1;
      return { endpoint: endpoint(), peers: own.map(peerJson), grants: counts };
    },
  );
}
