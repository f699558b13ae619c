import type { Define } from "../command-groups.ts";
import { loadGatewayConfig, settingFlag } from "../gateway-config.ts";
import { examples } from "../examples.ts";
import { formatTable } from "../table.ts";

interface ShowFlags {
  readonly origin?: true;
  readonly config?: string;
  readonly set?: Record<string, string>;
}

/** `mosaic config` */
export const define: Define = (group, run) => {
  examples(
    group,
    ["mosaic config show --origin", "every setting, and who said so"],
    ["mosaic config schema > mosaic.schema.json", "for an editor"],
  );

  const show = group
    .command("show")
    .description("Show the configuration that `mosaic start` would run with. Secrets are never shown")
    .option("--origin", "who said so: the default, the file, a variable")
    .option("--config <file>", "this file instead of mosaic.config.json")
    .option("--set <setting=value>", "as for `mosaic start`, any number of times", settingFlag)
    .action(
      run(async ({ host, output }, flags: ShowFlags) => {
        const [{ config, settings, warnings, file }, { describeOrigin }] = await Promise.all([
          loadGatewayConfig(host, { file: flags.config, settings: flags.set }),
          import("@mosaicstack/config"),
        ]);
        for (const { path, message } of warnings) output.warn(`${path}: ${message}`);
        const data = {
          tier: config.tier,
          file: file ?? null,
          settings: settings.map(({ path, value, origin }) => ({ path, value, origin: describeOrigin(origin) })),
          warnings,
        };
        output.result(data, () => {
          const columns = [{ heading: "SETTING" }, { heading: "VALUE", flexible: true }];
          return formatTable(
            flags.origin === true ? [...columns, { heading: "FROM", flexible: true }] : columns,
            data.settings.map(({ path, value, origin }) => [
              path,
              String(value),
              ...(flags.origin === true ? [origin] : []),
            ]),
            output.width,
          );
        });
        if (file === undefined) output.note("There is no mosaic.config.json here; write one with: mosaic init");
      }),
    );
  examples(
    show,
    ["mosaic config show", "every setting and its value"],
    ["mosaic config show --origin", "and who said so"],
    ["mosaic config show --set http.port=0", "what a flag would change"],
  );

  const schema = group
    .command("schema")
    .description("Print the JSON Schema of mosaic.config.json")
    .action(
      run(async ({ output }) => {
        const { configJsonSchema } = await import("@mosaicstack/config");
        const value = configJsonSchema();
        output.result(value, () => JSON.stringify(value, null, 2));
      }),
    );
  examples(schema, ["mosaic config schema > mosaic.schema.json", "for an editor"]);
};
