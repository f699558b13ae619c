import { apiKey } from "@better-auth/api-key";
import { drizzleAdapter } from "@better-auth/drizzle-adapter";
import { type Clock, newId } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { betterAuth } from "better-auth/minimal";
import type { FastifyBaseLogger } from "fastify";
import { RateLimit } from "./rate-limit.ts";

/** Where Better Auth's own routes are. */
export const AUTH_PATH = "/api/auth";

/** What an API key starts with, so that it is recognised in a leak. */
export const API_KEY_PREFIX = "mosaic_";

/**
 * Carries the client's address to Better Auth's limiter. The mount sets it from the socket on every request, so what a
 * client sends under this name, or as `x-forwarded-for`, counts for nothing.
 */
export const CLIENT_ADDRESS_HEADER = "x-mosaic-client-address";

/** Passwords have at least this many characters. */
export const MIN_PASSWORD_LENGTH = 12;
export const MAX_PASSWORD_LENGTH = 128;

const SIGN_IN_RULE = { window: 60, max: 10 };

export interface BetterAuthDependencies {
  readonly store: Store;
  /** Signs session cookies. */
  readonly secret: string;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  /** Whether people reach this gateway over HTTPS: cookies are then marked for HTTPS only. */
  readonly secure: boolean;
  /** The origin people open, where the configuration names one. */
  readonly publicOrigin: string | undefined;
}

/**
 * Better Auth over our tables: e-mail and password, sessions, API keys. Nobody signs up: administrators make users.
 * Its admin plugin is left out: its routes would go past the rules of users/users.ts (the last administrator, grants).
 */
export function createBetterAuth({ store, secret, clock, log, secure, publicOrigin }: BetterAuthDependencies) {
  const limit = new RateLimit(clock);
  return betterAuth({
    appName: "Mosaic",
    // Only its path matters: cookies carry no domain, and origins are compared with the address asked (trustedOrigins).
    baseURL: secure ? "https://localhost" : "http://localhost",
    basePath: AUTH_PATH,
    secret,
    telemetry: { enabled: false },
    // Otherwise its router prints a failed statement to the console, parameters and all; thrown, it is ours to log.
    onAPIError: { throw: true },
    database: drizzleAdapter(store.db, {
      provider: "pg",
      usePlural: true,
      schema: {
        users: schema.users,
        sessions: schema.sessions,
        accounts: schema.accounts,
        verifications: schema.verifications,
        apikeys: schema.apiKeys,
      },
    }),
    advanced: {
      cookiePrefix: "mosaic",
      useSecureCookies: secure,
      database: { generateId: () => newId() },
      ipAddress: { ipAddressHeaders: [CLIENT_ADDRESS_HEADER] },
      // Said outright: where it finds itself in a test, Better Auth switches the check off.
      disableOriginCheck: false,
      disableCSRFCheck: false,
    },
    trustedOrigins: (request) => ownOrigins(request?.headers.get("host"), publicOrigin),
    user: {
      additionalFields: { role: { type: "string", required: false, defaultValue: "user", input: false } },
    },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: MIN_PASSWORD_LENGTH,
      maxPasswordLength: MAX_PASSWORD_LENGTH,
    },
    rateLimit: {
      enabled: true,
      customRules: { "/sign-in/email": SIGN_IN_RULE, "/change-password": SIGN_IN_RULE },
      customStorage: {
        consume(key, { window, max }) {
          const attempt = limit.attempt(key, { windowSeconds: window, max });
          const retryAfter = attempt.kind === "allowed" ? null : attempt.retryAfterSeconds;
          return Promise.resolve({ allowed: attempt.kind === "allowed", retryAfter });
        },
      },
    },
    plugins: [
      apiKey({
        defaultPrefix: API_KEY_PREFIX,
        requireName: true,
        maximumNameLength: 200,
        rateLimit: { enabled: false },
        keyExpiration: { maxExpiresIn: 3650 },
        startingCharactersConfig: { charactersLength: API_KEY_PREFIX.length + 5 },
      }),
    ],
    logger: {
      level: "warn",
      log(level, message, ...details: unknown[]) {
        log[level]({ err: details.find((detail) => detail instanceof Error) }, `better-auth: ${message}`);
      },
    },
  });
}

export type BetterAuth = ReturnType<typeof createBetterAuth>;

/**
 * The origins that pages of this gateway have: the configured one, and the address the browser itself asked, which a page
 * of another site cannot choose; the session cookie belongs to that host alone. A proxy may speak HTTPS for a plain
 * listener, hence both schemes.
 */
export function ownOrigins(host: string | null | undefined, publicOrigin: string | undefined): string[] {
  const asked = host === null || host === undefined ? [] : [`https://${host}`, `http://${host}`];
  return publicOrigin === undefined ? asked : [publicOrigin, ...asked];
}
