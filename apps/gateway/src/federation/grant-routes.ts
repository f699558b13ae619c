import { scopeInputSchema } from "@mosaicstack/federation-protocol";
import type { Actor, Grant, Grants, IssuedInvite } from "@mosaicstack/federation-server";
import { instant, resourceNames, title } from "@mosaicstack/resources";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";

const nullableInstant = z.iso.datetime().nullable();

const grantSchema = z.object({
  id: z.uuid(),
  name: z.string(),
  status: z.enum(["pending", "active", "suspended", "revoked", "expired"]),
  subject: z.object({ id: z.uuid(), name: z.string().nullable() }),
  scope: scopeInputSchema(resourceNames),
  created_at: z.iso.datetime(),
  activated_at: nullableInstant,
  revoked_at: nullableInstant,
  expires_at: nullableInstant,
  certificates: z.array(z.object({ serial: z.string(), not_after: z.iso.datetime(), revoked_at: nullableInstant })),
});

const inviteSchema = z.object({
  invite: z.string().describe("The enrollment URL; shown once"),
  join_command: z.string().describe("What the other gateway's user runs"),
  invite_expires_at: z.iso.datetime(),
});

const newGrantSchema = z.strictObject({
  name: title(200),
  subject: title(320).describe("The user as whom the peer reads: id, e-mail or name"),
  scope: z.unknown().describe("What the peer may read; see the schema of a grant's `scope`"),
  expires_at: instant.optional(),
});

const byId = z.strictObject({ id: z.string() });

function grantJson(grant: Grant): z.output<typeof grantSchema> {
  return {
    id: grant.id,
    name: grant.name,
    status: grant.status,
    subject: grant.subject,
    scope: grant.scope,
    created_at: grant.createdAt.toISOString(),
    activated_at: grant.activatedAt?.toISOString() ?? null,
    revoked_at: grant.revokedAt?.toISOString() ?? null,
    expires_at: grant.expiresAt?.toISOString() ?? null,
    certificates: grant.certificates.map(({ serial, notAfter, revokedAt }) => ({
      serial,
      not_after: notAfter.toISOString(),
      revoked_at: revokedAt?.toISOString() ?? null,
    })),
  };
}

function inviteJson({ url, expiresAt }: IssuedInvite): z.input<typeof inviteSchema> {
  return {
    invite: url,
    join_command: `mosaic federation peer add '${url}'`,
    invite_expires_at: expiresAt.toISOString(),
  };
}

/** Who administers grants in a request. */
export function actorOf({ principal }: FastifyRequest): Actor {
  return { userId: principal.userId, isAdmin: principal.role === "admin" };
}

/** Grants, for administrators and for those whose data they are over. */
export function grantRoutes(untyped: FastifyInstance, { grants }: { readonly grants: Grants }): void {
  const app = untyped.withTypeProvider<ZodTypeProvider>();
  const tags = ["federation"];
  const path = "/api/v1/federation/grants";

  app.get(
    path,
    {
      config: { access: "user" },
      schema: { summary: "List grants", tags, response: { 200: z.object({ grants: z.array(grantSchema) }) } },
    },
    async (request) => ({ grants: (await grants.list(actorOf(request))).map(grantJson) }),
  );

  app.post(
    path,
    {
      config: { access: "admin" },
      schema: {
        summary: "Make a grant and its invite",
        tags,
        body: newGrantSchema,
        response: { 201: inviteSchema.extend({ grant: grantSchema }) },
      },
    },
    async (request, reply) => {
      const { name, subject, scope, expires_at: expiresAt } = request.body;
      const made = await grants.create(actorOf(request), { name, subject, scope, expiresAt: expiresAt ?? null });
      return await reply.code(201).send({ grant: grantJson(made.grant), ...inviteJson(made.invite) });
    },
  );

  app.get(
    `${path}/:id`,
    {
      config: { access: "user" },
      schema: { summary: "Show a grant", tags, params: byId, response: { 200: grantSchema } },
    },
    async (request) => grantJson(await grants.find(actorOf(request), request.params.id)),
  );

  app.post(
    `${path}/:id/revoke`,
    {
      config: { access: "user" },
      schema: { summary: "Revoke a grant, at once", tags, params: byId, response: { 200: grantSchema } },
    },
    async (request) => grantJson(await grants.revoke(actorOf(request), request.params.id)),
  );

  app.post(
    `${path}/:id/token`,
    {
      config: { access: "admin" },
      schema: { summary: "Make a new invite for a grant", tags, params: byId, response: { 200: inviteSchema } },
    },
    async (request) => inviteJson(await grants.invite(actorOf(request), request.params.id)),
  );
}
