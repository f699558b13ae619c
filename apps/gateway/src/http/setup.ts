import { title } from "@mosaicstack/resources";
import { z } from "zod";
import type { ApiKeys } from "../auth/api-keys.ts";
import type { RateLimit } from "../auth/rate-limit.ts";
import { gatewayProblem } from "../problems.ts";
import { password } from "../users/password.ts";
import type { User } from "../users/users.ts";
import { refusals } from "./answers.ts";
import type { Routes } from "./server.ts";
import { email, userAnswer } from "./users.ts";

const RULE = { max: 5, windowSeconds: 60 };

/** Makes the first administrator, with the code the process printed. */
export function registerSetup(
  app: Routes,
  dependencies: {
    readonly limit: RateLimit;
    readonly apiKeys: ApiKeys;
    readonly redeem: (claim: { code: string; name: string; email: string; password: string }) => Promise<User>;
  },
): void {
  const { limit, apiKeys, redeem } = dependencies;
  app.post(
    "/api/v1/setup",
    {
      config: { access: "public", limit: "counted" },
      schema: {
        tags: ["setup"],
        summary: "Make the first administrator",
        description: "Once, with the one-time code that the gateway prints at its start while it has no administrator.",
        security: [],
        body: z.strictObject({ code: z.string().min(1).max(100), name: title(200), email, password }),
        response: { 201: z.object({ user: userAnswer, api_key: z.string() }), ...refusals },
      },
    },
    async (request, reply) => {
      const attempt = limit.attempt(`setup ${request.ip}`, RULE);
      if (attempt.kind === "refused") {
        throw gatewayProblem("rate_limited", { headers: { "retry-after": String(attempt.retryAfterSeconds) } });
      }
      const user = await redeem(request.body);
      const { key } = await apiKeys.create(user.id, "setup", undefined);
      return reply.code(201).send({ user, api_key: key });
    },
  );
}
