// Scripted peers in a process of their own, until SIGTERM: what they do is told by HTTP, so that it costs neither gateway nor load generator.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { newId } from "@mosaicstack/foundation";
import { type FaultName, startFaultyPeer } from "@mosaicstack/harness";

/** What it is started with, as JSON in its first argument. */
export interface PeersInput {
  /** One a peer: how long its answers take. */
  readonly delaysMs: readonly number[];
  /** Of each peer. */
  readonly rows: number;
}

/** What it prints once they listen: one line of JSON. */
export interface PeersReady {
  /** `POST` with {@link PeerOrder} as JSON. */
  readonly control: string;
  /** Two invites each, to a grant of its own: a gateway's and the load generator's. */
  readonly peers: readonly { readonly invites: readonly [string, string] }[];
}

/** From now on the peer fails in this way; null: it works. */
export interface PeerOrder {
  readonly peer: number;
  readonly fault: FaultName | null;
}

const { delaysMs, rows } = JSON.parse(process.argv[2] ?? "") as PeersInput;
const MINUTE_MS = 60_000;

const peers = await Promise.all(
  delaysMs.map(async (delayMs, index) => {
    const faulty = await startFaultyPeer({ enrollmentServer: "plain" });
    faulty.peer.queryDelayMs = delayMs;
    // A minute apart, so that a blended page is of rows of every peer.
    faulty.peer.rows = Array.from({ length: rows }, (_, row) => {
      const at = new Date(Date.now() - row * MINUTE_MS - index * 1000);
      return {
        id: newId(at),
        key: `P${index}-${row}`,
        title: `Task ${row} of peer ${index}`,
        description: `Paragraph ${row}. `.repeat(20),
        status: "open",
        due_at: null,
        team: null,
        properties: { priority: 1 },
        created_at: at.toISOString(),
        updated_at: at.toISOString(),
      };
    });
    return faulty;
  }),
);

/** Of one grant both would be a cloned key, as soon as the first is superseded. */
function inviteToItsOwnGrant({ peer }: (typeof peers)[number]): string {
  peer.newGrant();
  return peer.invite();
}

const control = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const { peer, fault } = JSON.parse(Buffer.concat(parts).toString()) as PeerOrder;
    if (fault === null) peers[peer]?.recover();
    else peers[peer]?.suffer(fault);
    response.writeHead(204).end();
  });
});
control.listen(0, "127.0.0.1", () => {
  const ready: PeersReady = {
    control: `http://127.0.0.1:${(control.address() as AddressInfo).port}/`,
    peers: peers.map((each) => ({ invites: [inviteToItsOwnGrant(each), inviteToItsOwnGrant(each)] })),
  };
  console.log(JSON.stringify(ready));
});

process.once("SIGTERM", () => {
  control.closeAllConnections();
  control.close(() => void Promise.all(peers.map((peer) => peer.stop())));
});
