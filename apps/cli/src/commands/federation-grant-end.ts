import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import { findGrant, type Grant, grantFields, lastUse } from "../grants.ts";
import { formatFields } from "../table.ts";

/** What revoking a grant would do. */
interface RevocationPreview {
  readonly dry_run: true;
  readonly serials: readonly string[];
  /** Of the replica that answers. */
  readonly open_sockets_here: number;
  readonly last_used_at: string | null;
  readonly grant: Grant;
}

function previewFields({ grant, serials, open_sockets_here: sockets, last_used_at: last }: RevocationPreview): string {
  return formatFields([
    ["grant", `${grant.name} (${grant.id}), ${grant.status}`],
    ["certificates", serials.length === 0 ? "none" : serials.join(", ")],
    ["open sockets", `${sockets} at this replica`],
    ["last used", lastUse(last)],
  ]);
}

/** `mosaic federation grant suspend`, `resume` */
export const definePause: DefineWithin = (group, run) => {
  const suspend = group
    .command("suspend <grant>")
    .description("Stop a grant until it is resumed, by its id or name; its open connections are cut (admins)")
    .action(
      run(async (invocation, reference: string) => {
        const { output } = invocation;
        const gateway = await federationGateway(invocation);
        const { path } = await findGrant(gateway, reference);
        const { body } = await gateway.call<Grant>("POST", `${path}/suspend`);
        output.result(body, () => grantFields(body));
        output.note(`Suspended: every request is refused. Next: mosaic federation grant resume ${quoted(body.name)}`);
      }),
    );
  examples(suspend, ["mosaic federation grant suspend home", "its peer reads nothing until it is resumed"]);

  const resume = group
    .command("resume <grant>")
    .description("Let a suspended grant go on, by its id or name (admins)")
    .action(
      run(async (invocation, reference: string) => {
        const { output } = invocation;
        const gateway = await federationGateway(invocation);
        const { grant: before, path } = await findGrant(gateway, reference);
        const { body } = await gateway.call<Grant>("POST", `${path}/resume`);
        output.result(body, () => grantFields(body));
        output.note(
          before.suspended_reason === "cloned_key"
            ? `Resumed without its certificates: nobody can tell which holder was the right one. Next: mosaic federation grant token ${quoted(body.name)}`
            : "Resumed: its peer reads on with the certificate it has.",
        );
      }),
    );
  examples(resume, ["mosaic federation grant resume home", "its peer reads on"]);
};

/** `mosaic federation grant revoke` */
export const defineRevoke: DefineWithin = (group, run) => {
  const revoke = group
    .command("revoke <grant>")
    .description("End a grant, by its id or name: its certificates, invites and open connections with it")
    .option("--dry-run", "only show which: certificates, and what this replica knows of open sockets and last use")
    .action(
      run(async (invocation, reference: string, { dryRun }: { dryRun?: true }) => {
        const { output, ask } = invocation;
        const gateway = await federationGateway(invocation);
        const { grant, path } = await findGrant(gateway, reference);
        if (dryRun === true) {
          const { body } = await gateway.call<RevocationPreview>("POST", `${path}/revoke`, {
            query: { dry_run: "true" },
          });
          output.result(body, () => previewFields(body));
          output.note("Nothing was revoked (--dry-run).");
          return;
        }
        // Cutting access off must not fail for want of a flag; where somebody can be asked, they are.
        if (ask.possible) await invocation.confirm(`Revoke the grant "${grant.name}"? It can't be made valid again.`);
        const { body } = await gateway.call<Grant>("POST", `${path}/revoke`);
        output.result(body, () => grantFields(body));
        output.note("Revoked: its next request is refused, and its open connections are cut.");
      }),
    );
  examples(
    revoke,
    ["mosaic federation grant revoke home --dry-run", "which certificates and connections would end"],
    ["mosaic federation grant revoke home", "at once; asks on a terminal"],
    ["mosaic federation grant revoke home --yes", "without asking"],
  );
};

/** A name as a shell takes it for one word. */
function quoted(name: string): string {
  return /^[\w.@:-]+$/u.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`;
}
