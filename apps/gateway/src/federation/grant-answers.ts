import { scopeInputSchema } from "@mosaicstack/federation-protocol";
import type { Grant, GrantPreview, IssuedInvite, RevocationPreview, ScopeChange } from "@mosaicstack/federation-server";
import { resourceNames } from "@mosaicstack/resources";
import { z } from "zod";

const scope = scopeInputSchema(resourceNames);
const nullableInstant = z.iso.datetime().nullable();

const certificateAnswer = z.object({
  serial: z.string().describe("Hexadecimal"),
  generation: z.int(),
  state: z.enum(["active", "superseded", "revoked", "expired"]).describe("`superseded`: the peer has used a newer one"),
  issued_at: z.iso.datetime(),
  not_after: z.iso.datetime(),
  confirmed_at: nullableInstant.describe("Its first use"),
  superseded_at: nullableInstant,
  revoked_at: nullableInstant,
});

export const grantAnswer = z.object({
  id: z.uuid(),
  name: z.string(),
  status: z.enum(["pending", "active", "suspended", "revoked", "expired"]),
  subject: z.object({ id: z.uuid(), name: z.string().nullable() }),
  scope,
  requests_per_minute: z.int().describe("How often its peer may ask; a sixth of it at once"),
  concurrent_requests: z.int().describe("How many requests of its peer may be under way at once"),
  generation: z.int().describe("Of the newest certificate asked for; 0: no peer has enrolled"),
  created_at: z.iso.datetime(),
  activated_at: nullableInstant,
  suspended_at: nullableInstant,
  suspended_reason: z.string().nullable().describe("Why, where it was not a person: `cloned_key`"),
  revoked_at: nullableInstant,
  expires_at: nullableInstant,
  last_used_at: nullableInstant.describe(
    "As far as the replica that answers knows, since it was started; another one may know of a later use",
  ),
  certificates: z.array(certificateAnswer).describe("Newest first"),
});

export const scopeHistoryAnswer = z.object({
  scopes: z
    .array(z.object({ scope, changed_by: z.uuid(), changed_at: z.iso.datetime() }))
    .describe("Newest first; the last is the one the grant was made with"),
});

export const revocationPreviewAnswer = z.object({
  dry_run: z.literal(true),
  serials: z.array(z.string()).describe("The certificates that would be revoked"),
  open_sockets_here: z
    .int()
    .describe("Of the peer, to the replica that answers; it may have more to others, which are cut too"),
  last_used_at: nullableInstant.describe("As the grant's"),
  grant: grantAnswer,
});

export const previewAnswer = z.object({
  grant: grantAnswer.nullable().describe("Null: it has not been made"),
  subject: z.object({ id: z.uuid(), name: z.string().nullable() }),
  scope: scope.describe("The one looked through"),
  resources: z
    .array(
      z.object({
        name: z.string(),
        rows: z.int().describe("How many a peer could read now, counted to 10,000"),
        more: z.boolean().describe("Whether there are more than `rows`"),
        newest: z
          .array(z.record(z.string(), z.unknown()))
          .optional()
          .describe("The newest rows, as a peer is answered them; only where you are the subject"),
      }),
    )
    .describe("Those that the scope covers"),
});

export const inviteAnswer = z.object({
  invite: z.string().describe("The enrollment URL; shown once"),
  join_command: z.string().describe("What the other gateway's user runs"),
  invite_expires_at: z.iso.datetime(),
});

export function grantJson(grant: Grant): z.output<typeof grantAnswer> {
  return {
    id: grant.id,
    name: grant.name,
    status: grant.status,
    subject: grant.subject,
    scope: grant.scope,
    requests_per_minute: grant.requestsPerMinute,
    concurrent_requests: grant.concurrentRequests,
    generation: grant.generation,
    created_at: grant.createdAt.toISOString(),
    activated_at: textOf(grant.activatedAt),
    suspended_at: textOf(grant.suspendedAt),
    suspended_reason: grant.suspendedReason,
    revoked_at: textOf(grant.revokedAt),
    expires_at: textOf(grant.expiresAt),
    last_used_at: textOf(grant.lastUsedAt),
    certificates: grant.certificates.map((certificate) => ({
      serial: certificate.serial,
      generation: certificate.generation,
      state: certificate.state,
      issued_at: certificate.issuedAt.toISOString(),
      not_after: certificate.notAfter.toISOString(),
      confirmed_at: textOf(certificate.confirmedAt),
      superseded_at: textOf(certificate.supersededAt),
      revoked_at: textOf(certificate.revokedAt),
    })),
  };
}

export function scopeHistoryJson(changes: readonly ScopeChange[]): z.output<typeof scopeHistoryAnswer> {
  return {
    scopes: changes.map(({ scope: changed, changedBy, changedAt }) => ({
      scope: changed,
      changed_by: changedBy,
      changed_at: changedAt.toISOString(),
    })),
  };
}

export function revocationPreviewJson(preview: RevocationPreview): z.output<typeof revocationPreviewAnswer> {
  const { grant, serials, openSockets } = preview;
  return {
    dry_run: true,
    serials: [...serials],
    open_sockets_here: openSockets,
    last_used_at: textOf(grant.lastUsedAt),
    grant: grantJson(grant),
  };
}

export function previewJson(preview: GrantPreview): z.output<typeof previewAnswer> {
  const { grant, subject, scope: previewed, resources } = preview;
  return {
    grant: grant === null ? null : grantJson(grant),
    subject: { id: subject.id, name: subject.name },
    scope: previewed,
    resources: resources.map(({ name, rows, more, newestJson }) => ({
      name,
      rows,
      more,
      ...(newestJson === undefined ? {} : { newest: JSON.parse(newestJson) as Record<string, unknown>[] }),
    })),
  };
}

export function inviteJson({ url, expiresAt }: IssuedInvite): z.output<typeof inviteAnswer> {
  return {
    invite: url,
    join_command: `mosaic federation peer add '${url}'`,
    invite_expires_at: expiresAt.toISOString(),
  };
}

function textOf(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}
