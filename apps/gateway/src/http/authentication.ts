import type { FastifyInstance, FastifyRequest } from "fastify";
import { ownOrigins } from "../auth/better-auth.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Principal } from "../auth/principal.ts";
import { gatewayProblem } from "../problems.ts";

/**
 * Who may call a route. Each route says it in its `config`; one that doesn't is refused when it is registered
 * (route-table.ts). `public`: no credential is read, and `request.principal` throws.
 */
export type Access = "public" | "user" | "admin";

declare module "fastify" {
  interface FastifyContextConfig {
    access?: Access;
  }
  interface FastifyRequest {
    /** Whom the request comes from. Reading it on a public route is a fault in the program, and throws. */
    readonly principal: Principal;
  }
}

const PRINCIPAL = Symbol("principal");
const READS = new Set(["GET", "HEAD", "OPTIONS"]);

/** @throws Problem `not_admin` */
export function requireAdmin(principal: Principal): void {
  if (principal.role !== "admin") throw gatewayProblem("not_admin");
}

/**
 * A browser sends the session cookie with whatever page asks it to, and says in `origin` which page that was. A write
 * by cookie needs one, and it must be this gateway's own. API keys are never sent by themselves and need none.
 * @throws Problem `origin_refused`
 */
function refuseForeignPages(request: FastifyRequest, principal: Principal, publicOrigin: string | undefined): void {
  if (principal.via !== "session" || READS.has(request.method)) return;
  const { origin, host } = request.headers;
  if (origin !== undefined && ownOrigins(host, publicOrigin).includes(origin)) return;
  throw gatewayProblem("origin_refused");
}

/** Reads each request's credential before its body, and holds routes to the access they declare. */
export function authenticateRequests(
  app: FastifyInstance,
  { authenticator, publicOrigin }: { readonly authenticator: Authenticator; readonly publicOrigin: string | undefined },
): void {
  app.decorateRequest("principal", {
    getter(this: FastifyRequest) {
      const principal = (this as { [PRINCIPAL]?: Principal })[PRINCIPAL];
      if (principal === undefined) throw new Error(`${this.routeOptions.url ?? "this route"} has no principal`);
      return principal;
    },
  });
  app.addHook("onRequest", async (request) => {
    const { access } = request.routeOptions.config;
    // Undefined: no route matched. The not-found answer says nothing that needs a credential.
    if (access === "public" || access === undefined) return;
    const principal = await authenticator.identify(request.headers);
    if (principal === undefined) {
      throw gatewayProblem("unauthenticated", { headers: { "www-authenticate": 'Bearer realm="mosaic"' } });
    }
    refuseForeignPages(request, principal, publicOrigin);
    if (access === "admin") requireAdmin(principal);
    (request as { [PRINCIPAL]?: Principal })[PRINCIPAL] = principal;
  });
}
