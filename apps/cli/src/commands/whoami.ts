import type { Define } from "../command-groups.ts";
import { examples } from "../examples.ts";
import { createGateway } from "../gateway.ts";
import { cliProblem } from "../problems.ts";
import type { Me } from "../sign-in.ts";
import { formatFields } from "../table.ts";

/** `mosaic whoami` */
export const define: Define = (command, run) => {
  command.action(
    run(async (invocation) => {
      const target = await invocation.target();
      if (target.apiKey === undefined)
        throw cliProblem("not_signed_in", { detail: `There is no API key for ${target.url}.` });
      const { body } = await createGateway(target, invocation.host.signal).call<Me>("GET", "/api/v1/me");
      const profile = target.profile?.name;
      invocation.output.result({ ...body, url: target.url, profile: profile ?? null }, () =>
        formatFields([
          ["name", body.name],
          ["email", body.email],
          ["role", body.role],
          ["gateway", `${target.url} (from ${target.from})`],
          ["id", body.id],
        ]),
      );
    }),
  );
  examples(
    command,
    ["mosaic whoami", "who you are, and where"],
    ["mosaic whoami --profile work --json", "the same of another profile, as JSON"],
  );
};
