import { isId } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { and, count, desc, eq } from "drizzle-orm";
import { gatewayProblem } from "../problems.ts";
import type { BetterAuth } from "./better-auth.ts";

const { apiKeys: table } = schema;

/** The most keys one user may have: a list of them is one page. */
const MAX_KEYS = 100;

/** A key as its owner sees it: never the key itself. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** Its first characters, to tell it by. */
  readonly start: string;
  readonly created_at: string;
  readonly expires_at: string | null;
}

/** The API keys of users; Better Auth's plugin makes and stores them. */
export interface ApiKeys {
  list(userId: string): Promise<readonly ApiKey[]>;
  /** `key` is shown this once; what is stored is its hash. @throws Problem `too_many_api_keys` */
  create(userId: string, name: string, expiresInDays: number | undefined): Promise<ApiKey & { readonly key: string }>;
  /** @throws Problem `unknown_api_key`, also for another user's */
  remove(userId: string, id: string): Promise<void>;
}

type Row = Pick<typeof table.$inferSelect, "id" | "name" | "start" | "createdAt" | "expiresAt">;

function shown({ id, name, start, createdAt, expiresAt }: Row): ApiKey {
  return {
    id,
    name: name ?? "",
    start: start ?? "",
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
  };
}

export function createApiKeys(dependencies: {
  readonly store: Store;
  readonly betterAuth: BetterAuth;
  /** Told after a key was withdrawn. */
  readonly onKeyRemoved: (userId: string) => void;
}): ApiKeys {
  const { store, betterAuth, onKeyRemoved } = dependencies;
  return {
    async list(userId) {
      const rows = await store.db
        .select()
        .from(table)
        .where(eq(table.referenceId, userId))
        .orderBy(desc(table.id))
        .limit(MAX_KEYS);
      return rows.map(shown);
    },

    async create(userId, name, expiresInDays) {
      const [held] = await store.db.select({ keys: count() }).from(table).where(eq(table.referenceId, userId));
      if (held !== undefined && held.keys >= MAX_KEYS) throw gatewayProblem("too_many_api_keys");
      const expiresIn = expiresInDays === undefined ? null : expiresInDays * 24 * 3600;
      const created = await betterAuth.api.createApiKey({ body: { userId, name, expiresIn } });
      return { ...shown(created), key: created.key };
    },

    async remove(userId, id) {
      const owned = and(eq(table.id, id), eq(table.referenceId, userId));
      const removed = isId(id) ? await store.db.delete(table).where(owned).returning({ id: table.id }) : [];
      if (removed.length === 0) throw gatewayProblem("unknown_api_key");
      onKeyRemoved(userId);
    },
  };
}
