/**
 * What keeps somebody without a credential from having this route answer any number of requests. `counted`: beyond a number there is
 * 429. Otherwise why nobody counts: what bounds the work instead.
 */
export type Limit = "counted" | { readonly uncounted: string };

/** What the audit of federation has of a route: the event's name, or why there is none. */
export type Audit = { readonly event: string } | { readonly unaudited: string };

declare module "fastify" {
  interface FastifyContextConfig {
    limit?: Limit;
    audit?: Audit;
  }
}

/** Where federation is: what changes anything there is written down. */
const OF_FEDERATION = /^\/(?:api\/v\d+\/)?(?:federation|enroll)(?:\/|$)/u;
const READS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether the audit is to know of a route's work. */
export function isAudited(method: string, url: string): boolean {
  return OF_FEDERATION.test(url) && !READS.has(method);
}
