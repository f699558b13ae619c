import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { createGateway } from "../gateway.ts";
import type { Invocation } from "../invocation.ts";
import { cliProblem } from "../problems.ts";
import { readSecret } from "../secret-input.ts";
import { type Me, newPassword, rememberKey, signInPlace } from "../sign-in.ts";

interface SetupFlags {
  readonly name?: string;
  readonly email?: string;
  readonly codeFile?: string;
  readonly passwordFile?: string;
}

async function answer({ ask }: Invocation, given: string | undefined, flag: string, message: string): Promise<string> {
  if (given !== undefined) return given;
  if (!ask.possible) {
    throw cliProblem("input_needed", {
      detail: `${flag} is missing, and there is no terminal to ask on.`,
      remedy: `Add ${flag}.`,
    });
  }
  return await ask.text({ message, validate: (text) => (text.trim() === "" ? "It can't be empty." : undefined) });
}

/** `mosaic setup` */
export const define: Define = (command, run) => {
  command
    .option("--name <name>", "your name")
    .option("--email <address>", "your e-mail address: what you sign in with")
    .option("--code-file <file>", "the file that holds the setup code; - is standard input")
    .option("--password-file <file>", "the file that holds your password; - is standard input")
    .action(
      run(async (invocation, flags: SetupFlags) => {
        const { host, ask, output } = invocation;
        if (flags.codeFile === "-" && flags.passwordFile === "-") {
          throw cliProblem("usage_invalid", { detail: "Standard input can't hold both the code and the password." });
        }
        const place = await signInPlace(invocation);
        const code = await readSecret(host, ask, { file: flags.codeFile, flag: "--code-file", what: "setup code" });
        const name = await answer(invocation, flags.name, "--name", "Your name");
        const email = await answer(invocation, flags.email, "--email", "Your e-mail address");
        const password = await newPassword(invocation, flags.passwordFile);
        const gateway = createGateway({ ...place.target, apiKey: undefined }, host.signal);
        const { body } = await gateway.call<{ user: Me; api_key: string }>("POST", "/api/v1/setup", {
          body: { code: code.trim(), name, email, password },
        });
        // The key's id, so that `mosaic logout` can take it back.
        const keys = createGateway({ ...place.target, apiKey: body.api_key }, host.signal);
        const { body: listed } = await keys.call<{ rows: { id: string; start: string }[] }>("GET", "/api/v1/api-keys");
        const apiKeyId = listed.rows.find(({ start }) => start !== "" && body.api_key.startsWith(start))?.id;
        await rememberKey(host, place, { apiKey: body.api_key, ...(apiKeyId === undefined ? {} : { apiKeyId }) });
        const { target, profileName: profile } = place;
        output.result(
          { user: body.user, url: target.url, profile },
          () => `${body.user.name} <${body.user.email}> is the first admin of ${target.url}`,
        );
        output.note(`Signed in (profile ${profile}). Next: mosaic task add "Try it out"`);
      }),
    );
  examples(
    command,
    ["mosaic setup", "asks for the code the gateway printed, and who you are"],
    ["mosaic setup --url https://mosaic.example --name Ada --email ada@example.org", "a gateway elsewhere"],
    ["mosaic setup --name Ada --email ada@example.org --code-file code --password-file pw", "without a terminal"],
  );
};
