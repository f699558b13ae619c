import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import { formatFields } from "../table.ts";
import { type Peer, peersTable } from "./federation-peer.ts";

/** What the gateway says of its federation. */
export interface FederationStatus {
  /** Where it answers peers. */
  readonly endpoint: string;
  readonly peers: readonly Peer[];
  /** How many of the grants one may see are in each state. */
  readonly grants: Readonly<Record<string, number>>;
}

/** `mosaic federation status` */
export const defineStatus: DefineWithin = (command, run) => {
  command.action(
    run(async (invocation) => {
      const { output } = invocation;
      const { body } = await (
        await federationGateway(invocation)
      ).call<FederationStatus>("GET", "/api/v1/federation/status");
      output.result(body, () => {
        const grants = Object.entries(body.grants).map(([state, count]) => `${count} ${state}`);
        const fields = formatFields([
          ["peers are answered at", body.endpoint],
          ["grants", grants.join(", ") || "none"],
          ["peers", String(body.peers.length)],
        ]);
        return body.peers.length === 0 ? fields : `${fields}\n\n${peersTable(body.peers, output.width)}`;
      });
    }),
  );
  examples(
    command,
    ["mosaic federation status", "peers, grants, listener"],
    ["mosaic federation status --json | jq .data.peers[].state", "for a script"],
  );
};
