import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { createGateway } from "../gateway.ts";
import { cliProblem } from "../problems.ts";
import { readSecret } from "../secret-input.ts";
import { keyByPassword, rememberKey, signInPlace } from "../sign-in.ts";

interface LoginFlags {
  readonly email?: string;
  readonly passwordFile?: string;
  readonly keyFile?: string;
}

/** `mosaic login` */
export const define: Define = (command, run) => {
  command
    .option("--email <address>", "sign in with a password; an API key is made for this machine")
    .option("--password-file <file>", "the file that holds the password; - is standard input")
    .option("--key-file <file>", "sign in with an API key: the file that holds it; - is standard input")
    .action(
      run(async (invocation, flags: LoginFlags) => {
        const { host, ask, output } = invocation;
        if (flags.keyFile !== undefined && (flags.email !== undefined || flags.passwordFile !== undefined)) {
          throw cliProblem("usage_invalid", { detail: "--key-file can't be given with --email or --password-file." });
        }
        if (flags.keyFile === undefined && flags.email === undefined && !ask.possible) {
          throw cliProblem("input_needed", {
            detail: "Nothing says how to sign in, and there is no terminal to ask on.",
            remedy: "Add --key-file <file>, or --email <address> and --password-file <file>; - is standard input.",
          });
        }
        const place = await signInPlace(invocation);
        const byKey =
          flags.keyFile !== undefined ||
          (flags.email === undefined &&
            (await ask.choose(`How do you sign in to ${place.target.url}?`, [
              { value: "password", label: "E-mail and password", hint: "an API key is made for this machine" },
              { value: "key", label: "An API key you have" },
            ])) === "key");
        let key: { apiKey: string; apiKeyId?: string };
        if (byKey) {
          const apiKey = await readSecret(host, ask, { file: flags.keyFile, flag: "--key-file", what: "API key" });
          key = { apiKey: apiKey.trim() };
        } else {
          const email = flags.email ?? (await ask.text({ message: "Your e-mail address" }));
          const password = await readSecret(host, ask, {
            file: flags.passwordFile,
            flag: "--password-file",
            what: "password",
          });
          key = await keyByPassword(createGateway({ ...place.target, apiKey: undefined }, host.signal), {
            email,
            password,
          });
        }
        const me = await rememberKey(host, place, key);
        const { target, profileName: profile } = place;
        output.result({ user: me, url: target.url, profile }, () => `${me.name} <${me.email}> at ${target.url}`);
        output.note(`Signed in (profile ${profile}). Next: mosaic task list`);
      }),
    );
  examples(
    command,
    ["mosaic login", "this machine's gateway; asks the rest"],
    ["mosaic login --url https://mosaic.example --profile work", "another one, as a profile of its own"],
    ["mosaic login --email ada@example.org --password-file pw", "without a terminal"],
    ["pass show mosaic | mosaic login --key-file -", "with an API key from a pipe"],
  );
};
