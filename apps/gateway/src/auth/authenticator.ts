import { defaultKeyHasher } from "@better-auth/api-key";
import type { Clock } from "@mosaicstack/foundation";
import type { Store } from "@mosaicstack/storage";
import { gatewayProblem } from "../problems.ts";
import { API_KEY_PREFIX, type BetterAuth } from "./better-auth.ts";
import { type Principal, roleOf } from "./principal.ts";
import { PrincipalCache } from "./principal-cache.ts";

/** The headers a credential can be in, as Node's HTTP server gives them. */
export interface CredentialHeaders {
  readonly authorization?: string | undefined;
  readonly "x-api-key"?: string | string[] | undefined;
  readonly cookie?: string | undefined;
}

/** Finds out whom a request comes from. */
export interface Authenticator {
  /**
   * An API key wins over a cookie. Undefined: no credential was sent.
   * @throws Problem `credential_refused` when one was sent and is not valid, `database_unavailable`
   */
  identify(headers: CredentialHeaders): Promise<Principal | undefined>;
  /** Forgets at once what is remembered of a user's credentials. Call it after withdrawing or changing any of them. */
  forgetUser(userId: string): void;
}

const API_KEY = new RegExp(`^${API_KEY_PREFIX}[A-Za-z]{32,128}$`);

/** One read, where Better Auth's own check takes a read and two writes. Its hash, its table, our expiry check. */
const PRINCIPAL_OF_API_KEY_SQL = `
  select u.id::text as "userId", u.name, u.email, u.role from api_keys k join users u on u.id = k.reference_id
  where k.key = $1 and k.enabled and (k.expires_at is null or k.expires_at > $2)`;

interface UserRow {
  readonly userId: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
}

/** The value of a cookie, percent-encoded as it was sent. The first of a name wins, as browsers send the most specific first. */
function cookieValue(header: string, name: string): string | undefined {
  for (const pair of header.split(";")) {
    const [key, ...value] = pair.split("=");
    if (key?.trim() === name) return value.join("=").trim();
  }
  return undefined;
}

function presentedApiKey({ authorization, "x-api-key": header }: CredentialHeaders): string | undefined {
  if (authorization !== undefined) return /^bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "";
  return Array.isArray(header) ? "" : header;
}

export function createAuthenticator(dependencies: {
  readonly store: Store;
  readonly betterAuth: BetterAuth;
  readonly clock: Clock;
  /** As Better Auth names it. */
  readonly sessionCookieName: string;
}): Authenticator {
  const { store, betterAuth, clock, sessionCookieName } = dependencies;
  const cache = new PrincipalCache(clock);

  async function ofApiKey(key: string): Promise<Principal | undefined> {
    const hash = await defaultKeyHasher(key);
    const [user] = await store.query<UserRow>(PRINCIPAL_OF_API_KEY_SQL, [hash, clock.now().toISOString()]);
    return user === undefined ? undefined : { ...user, role: roleOf(user.role), via: "api-key" };
  }

  async function ofSession(cookie: string): Promise<Principal | undefined> {
    const headers = new Headers({ cookie: `${sessionCookieName}=${cookie}` });
    const session = await betterAuth.api
      .getSession({ headers, query: { disableRefresh: true } })
      // It answers null to every cookie that is no session; what it throws is the database's.
      .catch((cause: unknown) => {
        throw gatewayProblem("database_unavailable", { cause });
      });
    if (session === null) return undefined;
    const { id: userId, name, email, role } = session.user;
    return { userId, name, email, role: roleOf(role ?? ""), via: "session" };
  }

  return {
    async identify(headers) {
      const key = presentedApiKey(headers);
      const cookie = key === undefined ? cookieValue(headers.cookie ?? "", sessionCookieName) : undefined;
      let principal: Principal | undefined;
      if (key !== undefined) {
        if (!API_KEY.test(key)) throw gatewayProblem("credential_refused");
        principal = await cache.of(PrincipalCache.keyOf("api-key", key), () => ofApiKey(key));
      } else if (cookie !== undefined) {
        principal = await cache.of(PrincipalCache.keyOf("session", cookie), () => ofSession(cookie));
      } else {
        return undefined;
      }
      if (principal === undefined) throw gatewayProblem("credential_refused");
      return principal;
    },
    forgetUser: (userId) => cache.forgetUser(userId),
  };
}
