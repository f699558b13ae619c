import { enrollmentResponseSchema, federationProblem } from "@mosaicstack/federation-protocol";
import { createAttemptLimit, type Enrollment, toProblem } from "@mosaicstack/federation-server";
import type { Clock } from "@mosaicstack/foundation";
import type { FastifyInstance } from "fastify";
import { z } from "zod";

const help = `This is an invite to read from this gateway, meant for another gateway and not for a browser.
On the gateway that should read from here, run:

  mosaic federation peer add '<this whole link, quoted>'
`;

/** How many refused attempts there may be in a minute. Those that succeed are limited by the invites there are. */
const REFUSALS = { perAddress: 100, inTotal: 1000 };
const WINDOW_MS = 60_000;

/** Where an invite's token is redeemed. Public: the token is the credential, and it stands in the body. */
export function enrollmentRoutes(
  app: FastifyInstance,
  {
    enrollment,
    clock,
    refusals = REFUSALS,
  }: {
    readonly enrollment: Enrollment;
    readonly clock: Clock;
    /** Default: 100 a minute from one address, and 1,000 from all of them. */
    readonly refusals?: typeof REFUSALS;
  },
): void {
  const perAddress = createAttemptLimit({ clock, max: refusals.perAddress, windowMs: WINDOW_MS });
  const inTotal = createAttemptLimit({ clock, max: refusals.inTotal, windowMs: WINDOW_MS });

  /** Counts an attempt as refused until it turns out otherwise. @returns takes it off the counts @throws Problem `rate_limited` */
  function count(address: string): () => void {
    const own = perAddress.attempt(address);
    const all = own.kind === "refused" ? own : inTotal.attempt("all");
    if (own.kind === "allowed" && all.kind === "allowed") {
      return () => {
        own.forgive();
        all.forgive();
      };
    }
    const seconds = all.kind === "refused" ? all.retryAfterSeconds : 1;
    throw federationProblem("rate_limited", { headers: { "retry-after": String(seconds) } });
  }

  app.get(
    "/enroll",
    { config: { access: "public" }, schema: { hide: true, response: { 200: z.string() } } },
    async (_request, reply) => reply.type("text/plain; charset=utf-8").send(help),
  );
  app.post(
    "/enroll",
    {
      config: { access: "public" },
      bodyLimit: 16_384,
      schema: {
        summary: "Redeem an invite for a client certificate",
        tags: ["federation"],
        response: { 200: enrollmentResponseSchema },
      },
    },
    async (request) => {
      const forgive = count(request.ip);
      try {
        const response = await enrollment.redeem(request.body, { requestId: request.id, address: request.ip });
        forgive();
        return response;
      } catch (error) {
        const { problem } = toProblem(error);
        // Our own fault is nobody's attempt.
        if (problem.status >= 500) forgive();
        throw problem;
      }
    },
  );
}
