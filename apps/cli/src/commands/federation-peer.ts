import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import { readTextInput } from "../files.ts";
import { cliProblem } from "../problems.ts";
import { shown } from "../rows.ts";
import { formatFields, formatTable } from "../table.ts";

const PATH = "/api/v1/federation/peers";
/** An enrollment asks the other gateway, which asks its CA. */
const ENROLL_TIMEOUT_MS = 60_000;

/** A gateway somebody reads from. */
export interface Peer {
  readonly name: string;
  readonly state: string;
  /** What `--source` takes: `federated:<name>`. */
  readonly source: string;
  readonly endpoint: string | null;
  readonly grant_id: string | null;
  readonly not_after: string | null;
  readonly created_at: string;
}

function peerFields(peer: Peer): string {
  return formatFields(Object.entries(peer).map(([name, value]) => [name.replaceAll("_", " "), shown(value)]));
}

/** `mosaic federation peer` */
export const definePeers: DefineWithin = (group, run) => {
  examples(
    group,
    ["mosaic federation peer add '<invite>' --name work", "accept an invite; quotes, because it has a # in it"],
    ["mosaic federation peer list", "the gateways you read from"],
    ["mosaic federation peer remove work", "stop reading from one"],
  );

  const add = group
    .command("add <invite>")
    .description("Accept an invite of another gateway: the URL its admin gave you, or - for standard input")
    .option("--name <name>", "your name for it: lower-case letters, digits, hyphens")
    .action(
      run(async (invocation, invite: string, { name }: { name?: string }) => {
        const { host, output } = invocation;
        const url = invite === "-" ? (await readTextInput(host, "-")).trim() : invite;
        if (url === "") {
          throw cliProblem("input_needed", { detail: "The invite is empty.", remedy: "Give the URL, in quotes." });
        }
        const gateway = await federationGateway(invocation);
        const { body } = await gateway.call<Peer>("POST", PATH, {
          body: { invite: url, name },
          timeoutMs: ENROLL_TIMEOUT_MS,
        });
        output.result(body, () => peerFields(body));
        output.note(`Connected. Next: mosaic task list --source ${body.source}`);
      }),
    );
  examples(
    add,
    ["mosaic federation peer add 'https://work.example/enroll#token=…&ca=…'", "as the other gateway's admin sent it"],
    ["wl-paste | mosaic federation peer add - --name work", "from the clipboard, and out of the shell's history"],
  );

  const list = group
    .command("list")
    .alias("ls")
    .description("List the gateways you read from")
    .action(
      run(async (invocation) => {
        const { output } = invocation;
        const { body } = await (await federationGateway(invocation)).call<{ peers: Peer[] }>("GET", PATH);
        output.result(body, () => (body.peers.length === 0 ? "" : peersTable(body.peers, output.width)));
        if (body.peers.length === 0)
          output.note("No peers. Accept an invite with: mosaic federation peer add '<invite>'");
      }),
    );
  examples(list, ["mosaic federation peer list", "with their states"]);

  const show = group
    .command("show <name>")
    .alias("get")
    .description("Show a peer")
    .action(
      run(async (invocation, name: string) => {
        const { output } = invocation;
        const { body } = await (
          await federationGateway(invocation)
        ).call<Peer>("GET", `${PATH}/${encodeURIComponent(name)}`);
        output.result(body, () => peerFields(body));
      }),
    );
  examples(show, ["mosaic federation peer show work", "its state and certificate"]);

  const remove = group
    .command("remove <name>")
    .alias("rm")
    .description("Stop reading from a gateway, and forget its key. It need not be reachable")
    .option("--dry-run", "only show which")
    .action(
      run(async (invocation, name: string, { dryRun }: { dryRun?: true }) => {
        const { output } = invocation;
        const gateway = await federationGateway(invocation);
        const path = `${PATH}/${encodeURIComponent(name)}`;
        const { body: peer } = await gateway.call<Peer>("GET", path);
        if (dryRun === true) {
          output.result({ dry_run: true, would_delete: peer }, () => peerFields(peer));
          output.note("Nothing was removed (--dry-run).");
          return;
        }
        await invocation.confirm(`Remove the peer "${name}"? Coming back takes a new invite.`);
        await gateway.call("DELETE", path);
        output.result({ deleted: [name] }, () => name);
        output.note("Removed.");
      }),
    );
  examples(
    remove,
    ["mosaic federation peer remove work", "after asking"],
    ["mosaic federation peer remove work --yes", "without asking"],
  );
};

/** Peers, one a line. */
export function peersTable(peers: readonly Peer[], width: number | undefined): string {
  return formatTable(
    [
      { heading: "NAME" },
      { heading: "STATE" },
      { heading: "SOURCE" },
      { heading: "ENDPOINT", flexible: true },
      { heading: "CERTIFICATE UNTIL" },
    ],
    peers.map(({ name, state, source, endpoint, not_after: end }) => [
      name,
      state,
      source,
      shown(endpoint),
      shown(end),
    ]),
    width,
  );
}
