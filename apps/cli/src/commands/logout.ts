import { Problem } from "@mosaicstack/foundation";
import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { createGateway } from "../gateway.ts";
import { readTextInput } from "../files.ts";
import { cliProblem } from "../problems.ts";
import { readProfiles, writeProfiles } from "../profiles.ts";

/** `mosaic logout` */
export const define: Define = (command, run) => {
  command.option("--dry-run", "only show what would be forgotten").action(
    run(async ({ host, options, output }, { dryRun }: { dryRun?: true }) => {
      const { configDirectory, profile: fromEnvironment } = host.environment;
      const { current, profiles } = await readProfiles(configDirectory);
      const name = options.profile ?? fromEnvironment ?? current;
      const profile = profiles.find((each) => each.name === name);
      if (profile === undefined) {
        throw cliProblem("profile_unknown", {
          detail: name === undefined ? "You are not signed in anywhere." : `There is no profile "${name}".`,
        });
      }
      if (dryRun === true) {
        output.result(
          { dry_run: true, profile: profile.name, url: profile.url },
          () => `${profile.name}  ${profile.url}`,
        );
        output.note("Nothing was changed (--dry-run).");
        return;
      }
      let withdrawn = false;
      if (profile.apiKeyId !== undefined) {
        try {
          const ca = profile.caFile === undefined ? undefined : await readTextInput(host, profile.caFile);
          const gateway = createGateway({ url: profile.url, apiKey: profile.apiKey, ca }, host.signal);
          await gateway.call("DELETE", `/api/v1/api-keys/${profile.apiKeyId}`);
          withdrawn = true;
        } catch (error) {
          // Forgetting must work with the gateway gone; but a key that lives on is nothing to keep quiet about.
          if (!(error instanceof Problem) || error.code === "interrupted") throw error;
          output.warn(
            `The key could not be withdrawn from ${profile.url}, and works on: ${error.message} Withdraw it with mosaic api-key rm ${profile.apiKeyId}.`,
          );
        }
      }
      const left = profiles.filter((each) => each !== profile);
      await writeProfiles(configDirectory, {
        current: current === profile.name ? left[0]?.name : current,
        profiles: left,
      });
      output.result(
        { profile: profile.name, url: profile.url, key_withdrawn: withdrawn },
        () => `Forgot profile ${profile.name} (${profile.url}).`,
      );
      if (profile.apiKeyId === undefined) output.note("Its API key works on: it was not made by `mosaic login`.");
    }),
  );
  examples(
    command,
    ["mosaic logout", "the profile that is used when none is named"],
    ["mosaic logout --profile work", "another one"],
  );
};
