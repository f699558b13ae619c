import { createHash, randomInt } from "node:crypto";
import { type Clock, newId } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";
import { hashPassword } from "better-auth/crypto";
import { and, eq, gt } from "drizzle-orm";
import { gatewayProblem } from "../problems.ts";
import { hasAdmin, insertUser, type User } from "../users/users.ts";

const { verifications } = schema;
const IDENTIFIER = "setup-code";
/** Crockford's base 32: nothing that reads as something else, and nothing a shell or a command line takes for its own. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH = 26;
const LIFETIME_MS = 30 * 24 * 3600 * 1000;

/** 130 random bits, in groups that can be read aloud. */
function newCode(): string {
  const code = Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  return code.match(/.{1,7}/g)?.join("-") ?? code;
}

/** What is stored of a code, whichever way it was typed. */
function hashOf(code: string): string {
  return createHash("sha256").update(code.toLowerCase().replaceAll(/[\s-]/g, "")).digest("hex");
}

/**
 * Makes the code that the first administrator proves themselves with, replacing an earlier one. Undefined: there is an
 * administrator, and no code works. Being first to visit proves nothing; reading this process's output does.
 */
export async function issueSetupCode(store: Store, clock: Clock): Promise<string | undefined> {
  if (await hasAdmin(store.db)) return undefined;
  const code = newCode();
  const now = clock.now();
  await store.transaction(async (db) => {
    await db.delete(verifications).where(eq(verifications.identifier, IDENTIFIER));
    await db.insert(verifications).values({
      id: newId(now),
      identifier: IDENTIFIER,
      value: hashOf(code),
      expiresAt: new Date(now.getTime() + LIFETIME_MS),
      createdAt: now,
      updatedAt: now,
    });
  });
  return code;
}

/**
 * Makes the first administrator. The code is spent in the same transaction, so of two who have it one succeeds.
 * @throws Problem `setup_done`, `setup_code_wrong`
 */
export async function redeemSetupCode(
  store: Store,
  clock: Clock,
  claim: { readonly code: string; readonly name: string; readonly email: string; readonly password: string },
): Promise<User> {
  const now = clock.now();
  const issued = and(
    eq(verifications.identifier, IDENTIFIER),
    eq(verifications.value, hashOf(claim.code)),
    gt(verifications.expiresAt, now),
  );
  if (await hasAdmin(store.db)) throw gatewayProblem("setup_done");
  const known = await store.db.select({ id: verifications.id }).from(verifications).where(issued);
  if (known.length === 0) throw gatewayProblem("setup_code_wrong");
  const passwordHash = await hashPassword(claim.password);
  return await store.transaction(async (db) => {
    const spent = await db.delete(verifications).where(issued).returning({ id: verifications.id });
    if (spent.length === 0) throw gatewayProblem("setup_done");
    return await insertUser(db, { name: claim.name, email: claim.email, role: "admin" }, passwordHash, now);
  });
}
