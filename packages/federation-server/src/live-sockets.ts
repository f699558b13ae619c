import type { TLSSocket } from "node:tls";

/** The open sockets of each grant, so that revoking one ends what is already connected. */
export interface LiveSockets {
  add(grantId: string, socket: TLSSocket): void;
  /** Destroys the grant's sockets; how many there were. */
  cut(grantId: string): number;
  count(grantId: string): number;
  /** The grants that have a socket open. */
  grantIds(): string[];
}

export function createLiveSockets(): LiveSockets {
  const byGrant = new Map<string, Set<TLSSocket>>();
  return {
    add(grantId, socket) {
      const sockets = byGrant.get(grantId) ?? new Set();
      byGrant.set(grantId, sockets.add(socket));
      socket.once("close", () => {
        sockets.delete(socket);
        if (sockets.size === 0 && byGrant.get(grantId) === sockets) byGrant.delete(grantId);
      });
    },
    cut(grantId) {
      const sockets = [...(byGrant.get(grantId) ?? [])];
      for (const socket of sockets) socket.destroy();
      return sockets.length;
    },
    count: (grantId) => byGrant.get(grantId)?.size ?? 0,
    grantIds: () => [...byGrant.keys()],
  };
}
