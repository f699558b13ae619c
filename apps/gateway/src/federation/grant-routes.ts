import { type Actor, GRANT_LIMITS, type Grants } from "@mosaicstack/federation-server";
import { instant, title } from "@mosaicstack/resources";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import {
  grantAnswer,
  grantJson,
  inviteAnswer,
  inviteJson,
  previewAnswer,
  previewJson,
  revocationPreviewAnswer,
  revocationPreviewJson,
  scopeHistoryAnswer,
  scopeHistoryJson,
} from "./grant-answers.ts";

const scope = z.unknown().describe("What the peer may read; see the schema of a grant's `scope`");

const { requestsPerMinute, concurrentRequests } = GRANT_LIMITS;
const limits = {
  requests_per_minute: z
    .int()
    .min(1)
    .max(requestsPerMinute.most)
    .optional()
    .describe(`How often its peer may ask, a sixth of it at once; ${requestsPerMinute.default} unless it is said`),
  concurrent_requests: z
    .int()
    .min(1)
    .max(concurrentRequests.most)
    .optional()
    .describe(
      `How many requests of its peer may be under way at once; ${concurrentRequests.default} unless it is said`,
    ),
};

const newGrantSchema = z.strictObject({
  name: title(200),
  subject: title(320).describe("The user as whom the peer reads: id, e-mail or name"),
  scope,
  expires_at: instant.optional(),
  ...limits,
});

const grantChangesSchema = z.strictObject({
  name: title(200).optional(),
  scope: scope.optional(),
  expires_at: instant.nullable().optional().describe("Sooner or later, not in the past; null: it has no end"),
  ...limits,
});

function limitsOf(body: Pick<z.output<typeof newGrantSchema>, keyof typeof limits>) {
  return { requestsPerMinute: body.requests_per_minute, concurrentRequests: body.concurrent_requests };
}

const byId = z.strictObject({ id: z.string() });
const revocationQuery = z.strictObject({
  dry_run: z.enum(["true", "false"]).optional().describe("Say what would happen, and change nothing"),
});

/** Nothing: whoever asks for a dry run in the body is told so, and has not revoked what can't be given back. */
const revocationBody = z.strictObject({}).nullish();

/** A preview's: what it looks through in place of the grant's own. */
const previewBody = z.strictObject({ scope: scope.optional() }).nullish();
const newPreviewSchema = newGrantSchema.pick({ subject: true, scope: true });
const previewConfig = { audit: { unaudited: "it counts rows, and nothing changes" } } as const;
const previewDescription =
  "Read as the peer reads. Only the subject is answered with rows; an administrator gets their number alone.";

/** Who administers grants in a request. */
export function actorOf({ principal }: FastifyRequest): Actor {
  return { userId: principal.userId, isAdmin: principal.role === "admin" };
}

/** Grants, for administrators and for those whose data they are over. */
export function grantRoutes(untyped: FastifyInstance, { grants }: { readonly grants: Grants }): void {
  const app = untyped.withTypeProvider<ZodTypeProvider>();
  const tags = ["federation"];
  const path = "/api/v1/federation/grants";
  const config = { access: "user" } as const;
  const forAdministrators = { access: "admin" } as const;

  app.get(
    path,
    { config, schema: { summary: "List grants", tags, response: { 200: z.object({ grants: z.array(grantAnswer) }) } } },
    async (request) => ({ grants: (await grants.list(actorOf(request))).map(grantJson) }),
  );

  app.post(
    path,
    {
      config: { ...forAdministrators, audit: { event: "grant.created" } },
      schema: {
        summary: "Make a grant and its invite",
        tags,
        body: newGrantSchema,
        response: { 201: inviteAnswer.extend({ grant: grantAnswer }) },
      },
    },
    async (request, reply) => {
      const { name, subject, scope: wanted, expires_at: expiresAt } = request.body;
      const input = { name, subject, scope: wanted, expiresAt: expiresAt ?? null, ...limitsOf(request.body) };
      const made = await grants.create(actorOf(request), input);
      return await reply.code(201).send({ grant: grantJson(made.grant), ...inviteJson(made.invite) });
    },
  );

  app.get(
    `${path}/:id`,
    { config, schema: { summary: "Show a grant", tags, params: byId, response: { 200: grantAnswer } } },
    async (request) => grantJson(await grants.find(actorOf(request), request.params.id)),
  );

  app.get(
    `${path}/:id/scopes`,
    {
      config,
      schema: { summary: "List the scopes a grant has had", tags, params: byId, response: { 200: scopeHistoryAnswer } },
    },
    async (request) => scopeHistoryJson(await grants.scopes(actorOf(request), request.params.id)),
  );

  app.patch(
    `${path}/:id`,
    {
      config: { ...forAdministrators, audit: { event: "grant.edited" } },
      schema: {
        summary: "Change a grant's name, scope, end or limits",
        description: "Takes effect with the peer's next request.",
        tags,
        params: byId,
        body: grantChangesSchema,
        response: { 200: grantAnswer },
      },
    },
    async (request) => {
      const { name, scope: wanted, expires_at: expiresAt } = request.body;
      const changes = { name, scope: wanted, expiresAt, ...limitsOf(request.body) };
      return grantJson(await grants.edit(actorOf(request), request.params.id, changes));
    },
  );

  app.post(
    `${path}/preview`,
    {
      config: { ...forAdministrators, ...previewConfig },
      schema: {
        summary: "See what a grant would give to read, without making it",
        description: previewDescription,
        tags,
        body: newPreviewSchema,
        response: { 200: previewAnswer },
      },
    },
    async (request) => previewJson(await grants.previewNew(actorOf(request), request.body)),
  );

  app.post(
    `${path}/:id/preview`,
    {
      config: { ...config, ...previewConfig },
      schema: {
        summary: "See what a grant gives to read, or would with another scope",
        description: previewDescription,
        tags,
        params: byId,
        body: previewBody,
        response: { 200: previewAnswer },
      },
    },
    async (request) => previewJson(await grants.preview(actorOf(request), request.params.id, request.body?.scope)),
  );

  app.post(
    `${path}/:id/suspend`,
    {
      config: { ...forAdministrators, audit: { event: "grant.suspended" } },
      schema: { summary: "Stop a grant until it is resumed", tags, params: byId, response: { 200: grantAnswer } },
    },
    async (request) => grantJson(await grants.suspend(actorOf(request), request.params.id)),
  );

  app.post(
    `${path}/:id/resume`,
    {
      config: { ...forAdministrators, audit: { event: "grant.resumed" } },
      schema: {
        summary: "Let a suspended grant go on",
        description: "One suspended for `cloned_key` loses its certificates: its peer needs a new invite.",
        tags,
        params: byId,
        response: { 200: grantAnswer },
      },
    },
    async (request) => grantJson(await grants.resume(actorOf(request), request.params.id)),
  );

  app.post(
    `${path}/:id/revoke`,
    {
      config: { ...config, audit: { event: "grant.revoked" } },
      schema: {
        summary: "Revoke a grant, at once",
        tags,
        params: byId,
        querystring: revocationQuery,
        body: revocationBody,
        response: { 200: z.union([revocationPreviewAnswer, grantAnswer]) },
      },
    },
    async (request) => {
      const [actor, { id }] = [actorOf(request), request.params];
      if (request.query.dry_run === "true") return revocationPreviewJson(await grants.previewRevocation(actor, id));
      return grantJson(await grants.revoke(actor, id));
    },
  );

  app.post(
    `${path}/:id/token`,
    {
      config: { ...forAdministrators, audit: { event: "grant.invited" } },
      schema: { summary: "Make a new invite for a grant", tags, params: byId, response: { 200: inviteAnswer } },
    },
    async (request) => inviteJson(await grants.invite(actorOf(request), request.params.id)),
  );
}
