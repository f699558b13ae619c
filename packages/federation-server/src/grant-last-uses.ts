import type { Clock } from "@mosaicstack/foundation";

/** When each grant was last used, as far as this process saw it: kept in memory, since a write a request would cost more than it tells. */
export interface LastUses {
  /** A request of the grant was answered. */
  note(grantId: string): void;
  of(grantId: string): Date | undefined;
}

export function createLastUses({ clock }: { readonly clock: Clock }): LastUses {
  const at = new Map<string, Date>();
  return {
    note: (grantId) => void at.set(grantId, clock.now()),
    of: (grantId) => at.get(grantId),
  };
}
