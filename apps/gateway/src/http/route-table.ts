import type { FastifyInstance } from "fastify";
import type { Access } from "./authentication.ts";
import { type Audit, isAudited, type Limit } from "./route-duties.ts";

export interface Route {
  readonly method: string;
  /** The pattern: `/api/v1/tasks/:id`. */
  readonly url: string;
  readonly access: Access;
  /** Of a public one. */
  readonly limit: Limit | undefined;
  /** Of one that changes something of federation. */
  readonly audit: Audit | undefined;
}

/** Every route there is: what an unmatched request is compared with, and what the guard test walks. */
export interface RouteTable {
  all(): readonly Route[];
  /** The methods an address takes, in order; none: there is nothing at it. */
  methodsOf(url: string): string[];
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  const isOpen = wanted.at(-1) === "*";
  if (isOpen ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((part, index) => part === "*" || part.startsWith(":") || part === given[index]);
}

/**
 * Collects routes as they are registered, and refuses one that does not say who may call it and what it takes; where anybody may,
 * what limits them; and where it changes something of federation, what the audit has of it. Forgetting one cannot open anything.
 * Call it before any route is registered.
 */
export function collectRoutes(app: FastifyInstance): RouteTable {
  const routes: Route[] = [];
  app.addHook("onRoute", ({ url, method, config, schema }) => {
    const name = `${[method].flat().join(", ")} ${url}`;
    if (config?.access === undefined) throw new Error(`${name} does not say who may call it`);
    if (schema === undefined) throw new Error(`${name} has no schema`);
    const { access, limit, audit } = config;
    if (access === "public" && limit === undefined) throw new Error(`${name} does not say what limits it`);
    for (const one of [method].flat()) {
      if (isAudited(one, url) && audit === undefined) throw new Error(`${name} does not say what the audit has of it`);
      routes.push({ method: one, url, access, limit, audit });
    }
  });
  return {
    all: () => routes,
    methodsOf(url) {
      const path = url.split(/[?#]/, 1)[0] ?? "";
      const found = routes.filter((route) => matches(route.url, path)).map(({ method }) => method);
      return [...new Set(found)].toSorted();
    },
  };
}
