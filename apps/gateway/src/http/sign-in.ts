import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { resourceProblem } from "@mosaicstack/resources";
import { AUTH_PATH, type BetterAuth, CLIENT_ADDRESS_HEADER } from "../auth/better-auth.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { gatewayProblem } from "../problems.ts";
import type { Routes } from "./server.ts";

/**
 * What of Better Auth is reached from outside. The rest of its routes stay shut: keys and users have routes of ours,
 * which keep the rules its own would go past.
 */
const ROUTES = [
  { method: "POST", path: "/sign-in/email", summary: "Sign in" },
  { method: "POST", path: "/sign-out", summary: "Sign out" },
  { method: "GET", path: "/get-session", summary: "The session of the cookie, or null" },
  { method: "GET", path: "/list-sessions", summary: "Your sessions" },
  { method: "POST", path: "/revoke-session", summary: "End one of your sessions" },
  { method: "POST", path: "/revoke-sessions", summary: "End all your sessions" },
  { method: "POST", path: "/revoke-other-sessions", summary: "End your other sessions" },
  { method: "POST", path: "/change-password", summary: "Change your password" },
] as const;

/** Headers that Better Auth reads. What is not on the list, it does not see. */
const FORWARDED = ["cookie", "origin", "referer", "host", "user-agent"];
/** Browsers send all of these; Node's fetch sends one by itself, and would be taken for a browser without an origin. */
const FETCH_METADATA = ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"];

function webRequest(request: FastifyRequest): Request {
  const headers = new Headers();
  const fromBrowser = request.headers["sec-fetch-site"] !== undefined;
  for (const name of fromBrowser ? [...FORWARDED, ...FETCH_METADATA] : FORWARDED) {
    const value = request.headers[name];
    if (typeof value === "string") headers.set(name, value);
  }
  headers.set(CLIENT_ADDRESS_HEADER, request.ip);
  // Its routing reads the path alone; a host header of the client's choosing would only make the URL invalid.
  const url = new URL(request.url, "http://localhost");
  const hasBody = request.method === "POST";
  if (hasBody) headers.set("content-type", "application/json");
  return new Request(url, {
    method: request.method,
    headers,
    ...(hasBody ? { body: JSON.stringify(request.body ?? {}) } : {}),
  });
}

/** Better Auth's refusals as problems of ours. */
async function refusal(response: Response): Promise<Error> {
  const body = (await response.json().catch(() => ({}))) as { readonly message?: unknown; readonly code?: unknown };
  const cause = new Error(`better-auth: ${response.status} ${JSON.stringify(body.code ?? "")}`);
  if (response.status === 401) {
    return gatewayProblem(body.code === "INVALID_EMAIL_OR_PASSWORD" ? "sign_in_refused" : "unauthenticated", { cause });
  }
  if (response.status === 403) return gatewayProblem("origin_refused", { cause });
  if (response.status === 429) {
    return gatewayProblem("rate_limited", {
      headers: { "retry-after": response.headers.get("x-retry-after") ?? "60" },
      cause,
    });
  }
  if (response.status < 500) {
    const detail = typeof body.message === "string" ? body.message.slice(0, 500) : "The request is not valid.";
    return resourceProblem("invalid_input", { detail, extensions: { path: "" }, cause });
  }
  // It catches what its adapter throws and says no more than 500; what fails there is the database.
  return gatewayProblem("database_unavailable", { cause });
}

/** Signing in and out, and one's sessions: Better Auth's own routes, on a list. */
export function registerSignIn(
  app: Routes,
  { betterAuth, authenticator }: { readonly betterAuth: BetterAuth; readonly authenticator: Authenticator },
): void {
  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // Whose sessions may end by this is known only before; what is no credential ends none.
    const { cookie } = request.headers;
    const principal =
      request.method === "GET" ? undefined : await authenticator.identify({ cookie }).catch(() => undefined);
    const response = await betterAuth.handler(webRequest(request));
    if (principal !== undefined) authenticator.forgetUser(principal.userId);
    if (!response.ok) throw await refusal(response);
    const cookies = response.headers.getSetCookie();
    if (cookies.length > 0) reply.header("set-cookie", cookies);
    return reply
      .code(response.status)
      .type("application/json; charset=utf-8")
      .send(await response.text());
  }
  for (const { method, path, summary } of ROUTES) {
    app.route({
      method,
      url: `${AUTH_PATH}${path}`,
      config: { access: "public", limit: "counted" },
      schema: { tags: ["sessions"], summary, security: [], ...(method === "POST" ? { body: z.unknown() } : {}) },
      handler: answer,
    });
  }
}
