import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import { readTextInput } from "../files.ts";
import { type Peer, peerFields, peersTable } from "../peers.ts";
import { cliProblem } from "../problems.ts";
import { formatFields } from "../table.ts";

const PATH = "/api/v1/federation/peers";
/** An enrollment asks the other gateway, which asks its CA. */
const ENROLL_TIMEOUT_MS = 60_000;

/** An invite whose gateway was reached, and is the one it names. */
interface CheckedInvite {
  readonly enroll_url: string;
  readonly ca_fingerprint: string;
  readonly trusted_by: string;
  /** Positive: the other gateway's clock is ahead. */
  readonly clock_skew_seconds: number | null;
}

const TRUSTED_BY: Readonly<Record<string, string>> = {
  "pinned-root": "the root certificate that the invite names",
  "public-ca": "a public certificate authority",
  loopback: "being on this machine",
};

function checkFields({
  enroll_url: url,
  ca_fingerprint: pin,
  trusted_by: by,
  clock_skew_seconds: skew,
}: CheckedInvite): string {
  return formatFields([
    ["redeemed at", url],
    ["trusted by", TRUSTED_BY[by] ?? by],
    ["root certificate", pin],
    ["its clock", skew === null ? "not told" : describeSkew(skew)],
  ]);
}

function describeSkew(seconds: number): string {
  if (Math.abs(seconds) <= 1) return "as this gateway's";
  return `${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"} this gateway's`;
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
    .option("--check", "only see that its gateway answers, is the one the invite names, and has the right time")
    .action(
      run(async (invocation, invite: string, { name, check }: { name?: string; check?: true }) => {
        const { host, output } = invocation;
        const url = invite === "-" ? (await readTextInput(host, "-")).trim() : invite;
        if (url === "") {
          throw cliProblem("input_needed", { detail: "The invite is empty.", remedy: "Give the URL, in quotes." });
        }
        const gateway = await federationGateway(invocation);
        if (check === true) {
          const { body } = await gateway.call<CheckedInvite>("POST", `${PATH}/check`, {
            body: { invite: url },
            timeoutMs: ENROLL_TIMEOUT_MS,
          });
          output.result(body, () => checkFields(body));
          output.note(
            "The invite was not used: only redeeming it shows whether it still can be. Run it without --check.",
          );
          return;
        }
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
    ["mosaic federation peer add 'https://work.example/enroll#token=…&ca=…' --check", "a look, without using it"],
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
  examples(show, ["mosaic federation peer show work", "its state, its certificate, the next renewal, the last answer"]);

  const renew = group
    .command("renew <name>")
    .description("Renew the certificate for a peer now, instead of when its time has come")
    .action(
      run(async (invocation, name: string) => {
        const { output } = invocation;
        const gateway = await federationGateway(invocation);
        const { body } = await gateway.call<Peer>("POST", `${PATH}/${encodeURIComponent(name)}/renew`, {
          timeoutMs: ENROLL_TIMEOUT_MS,
        });
        output.result(body, () => peerFields(body));
        output.note("Renewed.");
      }),
    );
  examples(renew, ["mosaic federation peer renew work", "after what kept it from renewing was put right"]);

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
