import { Problem } from "@mosaicstack/foundation";
import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { type AuditState, type FederationAlert, federationAlerts, type PeersOfOthers } from "../federation-alerts.ts";
import { federationGateway } from "../federation-gateway.ts";
import type { Gateway } from "../gateway.ts";
import { listGrants } from "../grants.ts";
import type { Output } from "../output.ts";
import { type Peer, peersTable } from "../peers.ts";
import { formatFields } from "../table.ts";
import { terminalLine } from "../terminal-text.ts";
import { type Authority, describeAuthority, readAuthority } from "./federation-ca.ts";

/** What the gateway says of its federation. */
export interface FederationStatus {
  /** Where it answers peers. */
  readonly endpoint: string;
  readonly peers: readonly Peer[];
  /** Told to administrators alone. */
  readonly peers_of_others?: PeersOfOthers;
  /** How many of the grants one may see are in each state. */
  readonly grants: Readonly<Record<string, number>>;
  readonly audit?: AuditState;
}

/** Undefined: not for this user, or the gateway is too old to say. */
async function authorityOf(gateway: Gateway): Promise<Authority | Problem | undefined> {
  try {
    return await readAuthority(gateway);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return error.status >= 500 ? error : undefined;
  }
}

/** `mosaic federation status` */
export const defineStatus: DefineWithin = (command, run) => {
  command.action(
    run(async (invocation) => {
      const { host, output } = invocation;
      const gateway = await federationGateway(invocation);
      const { body } = await gateway.call<FederationStatus>("GET", "/api/v1/federation/status");
      const authority = await authorityOf(gateway);
      const suspended = (body.grants["suspended"] ?? 0) === 0 ? [] : await listGrants(gateway);
      const alerts = federationAlerts({
        peers: body.peers,
        grants: suspended,
        authority,
        audit: body.audit,
        peersOfOthers: body.peers_of_others,
        now: host.clock.now(),
      });
      const told = authority instanceof Problem ? undefined : authority;
      output.result({ alerts, ...body, authority: told ?? null }, () =>
        [
          alertLines(alerts, output),
          fields(body, told),
          body.peers.length === 0 ? "" : peersTable(body.peers, output.width),
        ]
          .filter((part) => part !== "")
          .join("\n\n"),
      );
      if (alerts.length === 0) output.note("Nothing to look at.");
    }),
  );
  examples(
    command,
    ["mosaic federation status", "what needs looking at first; then peers, grants, listener, authority"],
    ["mosaic federation status --json | jq .data.alerts", "for a monitor: empty when all is well"],
  );
};

function alertLines(alerts: readonly FederationAlert[], output: Output): string {
  return alerts
    .map(({ code, detail, remedy }) =>
      [
        `${output.paint("red", "ALERT")}  ${terminalLine(detail)}`,
        `       ${terminalLine(remedy)} (${terminalLine(code)})`,
      ].join("\n"),
    )
    .join("\n");
}

function fields({ endpoint, peers, grants, audit }: FederationStatus, authority: Authority | undefined): string {
  const counted = Object.entries(grants).map(([state, count]) => `${count} ${state}`);
  return formatFields([
    ["peers are answered at", endpoint],
    ["grants", counted.join(", ") || "none"],
    ["peers", String(peers.length)],
    ...(audit === undefined ? [] : [["audit log", describeAudit(audit)] as const]),
    ...(authority === undefined ? [] : [["certificate authority", describeAuthority(authority)] as const]),
  ]);
}

function describeAudit({ queued, dropped, failing }: AuditState): string {
  return `${failing ? "NOT WRITTEN" : "ok"}, ${queued} waiting, ${dropped} without room`;
}
