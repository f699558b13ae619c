import { X509Certificate } from "node:crypto";
import type { CertificateAuthorityConfig } from "@mosaicstack/config";
import { fingerprintOf } from "@mosaicstack/federation-protocol";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { GrantDuties } from "./grant-duties.ts";

const authorityAnswer = z.object({
  kind: z.enum(["embedded", "step-ca"]),
  url: z.string().nullable(),
  root: z.object({ fingerprint: z.string(), subject: z.string(), not_after: z.iso.datetime() }),
  crl: z
    .object({
      number: z.string(),
      this_update: z.iso.datetime(),
      next_update: z.iso.datetime(),
      entries: z.int(),
    })
    .nullable()
    .describe("The newest list that was believed"),
  state: z.enum(["ok", "degraded"]).describe("`degraded`: its revocation list cannot be brought up to date"),
  cause: z.string().optional(),
  pending_revocations: z.int().describe("Revocations that hold here, and that the authority has not been told of yet"),
});

/** What an administrator looks at to know whether certificates can be made and revoked. */
export function authorityRoute(
  app: FastifyInstance,
  dependencies: {
    readonly config: CertificateAuthorityConfig;
    readonly rootPem: string;
    readonly duties: Pick<GrantDuties, "crl" | "countUntold">;
  },
): void {
  const { config, rootPem, duties } = dependencies;
  const root = new X509Certificate(rootPem);
  app.withTypeProvider<ZodTypeProvider>().get(
    "/api/v1/federation/authority",
    {
      config: { access: "admin" },
      schema: {
        tags: ["federation"],
        summary: "The certificate authority, and how it is",
        querystring: z.strictObject({}),
        response: { 200: authorityAnswer },
      },
    },
    async () => {
      const { alarm } = duties.crl.status();
      const latest = duties.crl.latest();
      return {
        kind: config.kind,
        url: config.kind === "step-ca" ? config.url : null,
        root: {
          fingerprint: fingerprintOf(rootPem),
          subject: root.subject,
          not_after: new Date(root.validTo).toISOString(),
        },
        crl:
          latest === undefined
            ? null
            : {
                number: latest.number.toString(),
                this_update: latest.thisUpdate.toISOString(),
                next_update: latest.nextUpdate.toISOString(),
                entries: latest.serials.size,
              },
        state: alarm === null ? ("ok" as const) : ("degraded" as const),
        ...(alarm === null ? {} : { cause: alarm.reason }),
        pending_revocations: await duties.countUntold(),
      };
    },
  );
}
