import { enrollmentResponseSchema } from "@mosaicstack/federation-protocol";
import { type Enrollment, type EnrollmentLimits, toProblem } from "@mosaicstack/federation-server";
import type { FastifyInstance } from "fastify";
import { z } from "zod";

const help = `This is an invite to read from this gateway, meant for another gateway and not for a browser.
On the gateway that should read from here, run:

  mosaic federation peer add '<this whole link, quoted>'
`;

/** Where an invite's token is redeemed. Public: the token is the credential, and it stands in the body. */
export function enrollmentRoutes(
  app: FastifyInstance,
  { enrollment, limits }: { readonly enrollment: Enrollment; readonly limits: EnrollmentLimits },
): void {
  app.get(
    "/enroll",
    {
      config: { access: "public", limit: { uncounted: "a constant" } },
      schema: { hide: true, response: { 200: z.string() } },
    },
    async (_request, reply) => reply.type("text/plain; charset=utf-8").send(help),
  );
  app.post(
    "/enroll",
    {
      config: { access: "public", limit: "counted", audit: { event: "enrollment" } },
      bodyLimit: 16_384,
      schema: {
        summary: "Redeem an invite for a client certificate",
        tags: ["federation"],
        response: { 200: enrollmentResponseSchema },
      },
    },
    async (request) => {
      const forgive = await limits.count(request.ip);
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
