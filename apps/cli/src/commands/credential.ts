import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { addGetCommand, addListCommand, addRemoveCommand, createItem, type ItemKind } from "../item-commands.ts";
import { collectProperty } from "../item-fields.ts";
import { rowId } from "../references.ts";
import { readSecret } from "../secret-input.ts";

const kind: ItemKind = {
  word: "credential",
  resource: "credentials",
  title: "name",
  columns: [
    { heading: "ID", member: "id" },
    { heading: "NAME", member: "name", flexible: true },
    { heading: "KIND", member: "kind", flexible: true },
    { heading: "TEAM", member: "team", flexible: true },
    { heading: "UPDATED", member: "updated_at" },
  ],
};

interface CredentialFlags {
  readonly kind: string;
  readonly secretFile?: string;
  readonly key?: string;
  readonly team?: string;
  readonly property?: Record<string, unknown>;
}

/** `mosaic credential` */
export const define: Define = (group, run) => {
  examples(
    group,
    ["mosaic credential add github --kind token", "asks for the secret and keeps it sealed"],
    ["mosaic credential list", "what there is; never the secrets"],
    ["mosaic credential reveal 0198c0de-…", "prints the secret"],
  );

  const add = group
    .command("add <name>")
    .description("Keep a secret, sealed at rest. It is asked for, or read from a file")
    .requiredOption("--kind <kind>", "what sort of secret: api-key, password, token")
    .option("--secret-file <file>", "the file that holds the secret; - is standard input")
    .option("--key <key>", "your own name for it, unique within its team")
    .option("--team <name>", "the team it belongs to, by name or id; personal when not given")
    .option("--property <name=value>", "anything else that is no secret, any number of times", collectProperty)
    .action(
      run(async (invocation, name: string, flags: CredentialFlags) => {
        const { secretFile, property, ...members } = flags;
        const { host, ask } = invocation;
        const secret = await readSecret(host, ask, { file: secretFile, flag: "--secret-file", what: "secret" });
        await createItem(invocation, kind, { ...members, name, secret, properties: property });
      }),
    );
  examples(
    add,
    ["mosaic credential add github --kind token", "asks for the secret"],
    ["pass show github | mosaic credential add github --kind token --secret-file -", "the secret from a pipe"],
  );

  examples(
    addListCommand(group, run, kind),
    ["mosaic credential list", "what there is; never the secrets"],
    ["mosaic credential list --source all", "with the metadata gateways share with you"],
  );

  examples(addGetCommand(group, run, kind), ["mosaic credential get 0198c0de-…", "all but the secret"]);

  const reveal = group
    .command("reveal <id>")
    .description("Print the secret, by the credential's id or key")
    .action(
      run(async (invocation, reference: string) => {
        const gateway = await invocation.gateway();
        const id = await rowId(gateway, kind.resource, reference);
        const { body } = await gateway.call<{ secret: string }>("POST", `/api/v1/credentials/${id}/reveal`);
        invocation.output.raw(body, body.secret);
      }),
    );
  examples(
    reveal,
    ["mosaic credential reveal 0198c0de-…", "prints the secret"],
    ['TOKEN="$(mosaic credential reveal github)"', "by its key, into a variable"],
  );

  addRemoveCommand(group, run, kind);
};
