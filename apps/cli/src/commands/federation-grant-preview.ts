import type { DefineWithin } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { federationGateway } from "../federation-gateway.ts";
import type { Gateway } from "../gateway.ts";
import { changeScope, readScope, type ScopeFlags } from "../grant-input.ts";
import { describeScope, findGrant, type Grant, GRANTS_PATH, type GrantScope, shownEnd } from "../grants.ts";
import type { Host } from "../host.ts";
import { cliProblem } from "../problems.ts";
import { nameOf, type Row } from "../rows.ts";
import { formatFields, formatTable } from "../table.ts";
import { scopeOptions } from "./federation-grant-make.ts";

interface PreviewFlags extends ScopeFlags {
  readonly subject?: string;
}

/** What a grant gives to read, or would. */
interface Preview {
  /** Null: it has not been made. */
  readonly grant: Grant | null;
  readonly subject: { readonly id: string; readonly name: string | null };
  readonly scope: GrantScope;
  readonly resources: readonly {
    readonly name: string;
    readonly rows: number;
    readonly more: boolean;
    /** Only where the subject asks. */
    readonly newest?: readonly Row[];
  }[];
}

async function previewOf(
  host: Host,
  gateway: Gateway,
  reference: string | undefined,
  flags: PreviewFlags,
): Promise<Preview> {
  const { subject } = flags;
  if (reference !== undefined && subject === undefined) {
    const { grant, path } = await findGrant(gateway, reference);
    const scope = await changeScope(host, gateway, grant.scope, flags);
    return (await gateway.call<Preview>("POST", `${path}/preview`, { body: { scope } })).body;
  }
  if (reference === undefined && subject !== undefined) {
    const scope = await readScope(host, gateway, flags);
    return (await gateway.call<Preview>("POST", `${GRANTS_PATH}/preview`, { body: { subject, scope } })).body;
  }
  throw cliProblem("usage_invalid", {
    detail: "A preview is of a grant, or of a --subject and what may be read of theirs.",
    remedy: "Name the grant, or give --subject with a scope as `mosaic federation grant create` takes it.",
  });
}

function previewText({ grant, subject, scope, resources }: Preview, width: number | undefined): string {
  const fields = formatFields([
    ["grant", grant === null ? "not made" : `${grant.name} (${grant.id}), ${grant.status}`],
    ["subject", `${subject.name ?? "(removed)"} (${subject.id})`],
    ["may read", describeScope(scope)],
    ...(grant === null ? [] : [["expires", shownEnd(grant)] as const]),
  ]);
  const lines = resources.flatMap(({ name, rows, more, newest = [] }) => {
    const names = newest.map((row) => nameOf(row).slice(0, 80));
    const count = `${rows.toLocaleString("en")}${more ? "+" : ""}`;
    return [[name, count, names[0] ?? ""], ...names.slice(1).map((each) => ["", "", each])];
  });
  const columns = [{ heading: "RESOURCE" }, { heading: "ROWS" }, { heading: "NEWEST", flexible: true }];
  const shows = resources.some(({ newest }) => newest !== undefined) ? 3 : 2;
  const table = formatTable(
    columns.slice(0, shows),
    lines.map((line) => line.slice(0, shows)),
    width,
  );
  return `${fields}\n\n${table}`;
}

const STANDING: Readonly<Record<string, string>> = {
  pending: "No peer has enrolled yet: this is what one will read.",
  suspended: "The grant is suspended: its peer reads nothing until it is resumed.",
};

/** What the numbers don't say. */
function notesOf({ grant, resources }: Preview): string[] {
  const standing =
    grant === null
      ? "Nothing was made: `mosaic federation grant create` takes the same flags, and a --name."
      : STANDING[grant.status];
  return [
    ...(resources.some(({ newest }) => newest === undefined)
      ? ["Which rows these are, only the subject is shown."]
      : []),
    ...(standing === undefined ? [] : [standing]),
  ];
}

/** `mosaic federation grant preview` */
export const definePreview: DefineWithin = (group, run) => {
  const preview = group
    .command("preview [grant]")
    .description("Show what a grant, by its id or name, lets its peer read now, or what one not made yet would")
    .option("--subject <user>", "of one not made yet: as whom the other gateway would read (admins)");
  scopeOptions(preview).action(
    run(async (invocation, reference: string | undefined, flags: PreviewFlags) => {
      const { host, output } = invocation;
      const found = await previewOf(host, await federationGateway(invocation), reference, flags);
      output.result(found, () => previewText(found, output.width));
      for (const note of notesOf(found)) output.note(note);
    }),
  );
  examples(
    preview,
    ["mosaic federation grant preview home", "how many rows of each resource its peer could read now"],
    ["mosaic federation grant preview home --teams Platform --no-personal", "and how many if it were edited so"],
    ["mosaic federation grant preview --subject ada --preset tasks-only", "before there is a grant"],
  );
};
