import { REVOCATION_LIST_PATH } from "@mosaicstack/federation-protocol";
import type { CrlPublication } from "@mosaicstack/federation-server";
import type { FastifyInstance } from "fastify";
import { z } from "zod";

/** Where the CRL is, on the people listener. */
export const CRL_PATH = REVOCATION_LIST_PATH;

const anyTag = "*";

/**
 * The certificate revocation list, for anyone: it is signed, and names serial numbers alone. By it a peer that is refused without a
 * word learns whether it was revoked. What is answered where the CA can't be asked, `CrlPublication` says.
 */
export function crlRoute(app: FastifyInstance, { crl }: { readonly crl: Pick<CrlPublication, "current"> }): void {
  app.get(
    CRL_PATH,
    {
      config: {
        access: "public",
        limit: { uncounted: "the list is in memory: the CA is asked once in ten seconds at most" },
      },
      schema: {
        summary: "The certificate revocation list",
        description: "DER (RFC 5280 5). 503 `crl_unavailable` while there is none that holds.",
        tags: ["federation"],
        security: [],
        response: {
          200: { description: "The list", content: { "application/pkix-crl": { schema: z.any() } } },
          304: z.null().describe("Unchanged since the `if-none-match` given"),
        },
      },
    },
    async (request, reply) => {
      const { der, etag, thisUpdate, maxAgeS } = await crl.current();
      reply.headers({
        etag,
        "last-modified": thisUpdate.toUTCString(),
        "cache-control": `public, max-age=${maxAgeS}`,
      });
      if (matches(request.headers["if-none-match"], etag)) return await reply.code(304).send();
      return await reply.type("application/pkix-crl").send(Buffer.from(der));
    },
  );
}

/** Weakly, as `if-none-match` compares (RFC 9110 13.1.2). */
function matches(header: string | undefined, etag: string): boolean {
  const named = (header ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return named.includes(etag) || named.includes(anyTag);
}
