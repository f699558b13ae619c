import { RENEWAL_PATH, type Verb, verbPath, verbs } from "@mosaicstack/federation-protocol";
import type { FastifyInstance } from "fastify";
import type { AnswerRequest } from "./peer-requests.ts";

/** All that is answered at an address of its own on the listener for peers: the wire's verbs, and the renewal. */
export const peerPaths: ReadonlyMap<string, Verb | "renew"> = new Map([
  ...verbs.map((verb) => [verbPath(verb), verb] as const),
  [RENEWAL_PATH, "renew"] as const,
]);

/**
 * Has every request on the listener answered by `answer`, which knows who asks, counts and records. Any other route is refused when
 * it is registered: nothing can be answered past identity, limit and audit. Call it before any route is registered.
 */
export function registerPeerRoutes(app: FastifyInstance, answer: AnswerRequest): void {
  const ours = new WeakSet<object>();
  app.addHook("onRoute", ({ method, url, handler }) => {
    if (!ours.has(handler))
      throw new Error(`${[method].flat().join(", ")} ${url} would be answered past identity, limit and audit`);
  });
  for (const [path, asked] of peerPaths) {
    const handler = (request: Parameters<AnswerRequest>[0], reply: Parameters<AnswerRequest>[1]) =>
      answer(request, reply, asked);
    ours.add(handler);
    app.post(path, handler);
  }
  app.setNotFoundHandler((request, reply) => answer(request, reply, undefined));
  // Where Fastify refuses a content type by itself, the pipeline has not begun; it comes to the same in its turn.
  app.setErrorHandler((_error, request, reply) => answer(request, reply, peerPaths.get(request.url)));
}
