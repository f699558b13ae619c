import { createHash } from "node:crypto";
import type { Clock } from "@mosaicstack/foundation";
import { LRUCache } from "lru-cache";
import type { Principal } from "./principal.ts";

const LIFETIME_MS = 5000;

/**
 * Remembers for 5 s whom a credential belongs to: checking one costs milliseconds, and an agent sends the same one
 * with every request. Only valid ones are kept, by their hash. What this process withdraws is forgotten at once;
 * what another replica withdraws is refused here within the 5 s.
 */
export class PrincipalCache {
  readonly #entries = new LRUCache<string, { readonly principal: Principal; readonly until: number }>({ max: 10_000 });
  readonly #clock: Clock;
  #epoch = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The key a credential is kept under. */
  static keyOf(kind: Principal["via"], credential: string): string {
    return createHash("sha256").update(kind).update("\0").update(credential).digest("base64");
  }

  /**
   * The remembered principal, or what `check` finds. A check that was under way when something was withdrawn is not
   * remembered: it may have read what was there before.
   */
  async of(key: string, check: () => Promise<Principal | undefined>): Promise<Principal | undefined> {
    const now = this.#clock.now().getTime();
    const known = this.#entries.get(key);
    if (known !== undefined && now < known.until) return known.principal;
    const epoch = this.#epoch;
    const principal = await check();
    if (principal !== undefined && epoch === this.#epoch) {
      this.#entries.set(key, { principal, until: now + LIFETIME_MS });
    }
    return principal;
  }

  /** Forgets every credential of a user: one was withdrawn, or the user changed or is gone. */
  forgetUser(userId: string): void {
    this.#epoch += 1;
    for (const [key, { principal }] of this.#entries.entries()) {
      if (principal.userId === userId) this.#entries.delete(key);
    }
  }
}
