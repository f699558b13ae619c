import { catalogue } from "./catalogue.ts";
import type { ConfigFault, Tier } from "./config.ts";
import { describeOrigin } from "./fault.ts";
import type { Entry } from "./layer.ts";
import type { Variant } from "./tier-schemas.ts";

/** A variant's tier, as it stands in a Config. */
export function tierOf(variant: Variant): Tier {
  return variant === "embedded" ? "federated" : variant;
}

/** The variant the entries ask for; undefined when `tier` or `embedded` is no value of theirs (a fault of its own). */
export function chooseVariant(entries: readonly Entry[]): Variant | undefined {
  const said = (path: string): unknown => entries.findLast((entry) => entry.path === path)?.value;
  const tier = said("tier") ?? "local";
  const embedded = said("embedded") ?? false;
  if (typeof embedded !== "boolean") return undefined;
  if (tier === "federated") return embedded ? "embedded" : "federated";
  if (tier === "local") return "local";
  return tier === "standalone" || tier === "team" ? "standalone" : undefined;
}

/** The variants that have this setting, or any setting of this section. */
function variantsWith(path: string): ReadonlySet<Variant> {
  const settings = [...catalogue.values()].filter((known) => known.path === path || known.path.startsWith(`${path}.`));
  return new Set(settings.flatMap((setting) => [...setting.variants]));
}

function describe(variants: ReadonlySet<Variant>): string {
  const names: string[] = [];
  if (variants.has("local")) names.push("local");
  if (variants.has("standalone")) names.push("standalone");
  if (variants.has("federated"))
    names.push(variants.has("embedded") ? "federated" : 'federated without "embedded": true');
  else if (variants.has("embedded")) names.push('federated with "embedded": true');
  return names.join(" or ");
}

/** The fault of each setting that another tier has and this one has not; a whole section is one fault. */
export function misplacedSettings(entries: readonly Entry[], variant: Variant): ConfigFault[] {
  const faults = new Map<string, ConfigFault>();
  for (const { path, origin } of entries) {
    if (catalogue.get(path)?.variants.has(variant) !== false) continue;
    const names = path.split(".");
    const prefixes = names.map((_, index) => names.slice(0, index + 1).join("."));
    const outermost = prefixes.find((prefix) => !variantsWith(prefix).has(variant)) ?? path;
    const here = `${tierOf(variant)}${variant === "embedded" ? ' with "embedded": true' : ""}`;
    faults.set(`${outermost} ${describeOrigin(origin)}`, {
      path: outermost,
      origin,
      message: `belongs to tier ${describe(variantsWith(outermost))}; this gateway's tier is ${here}`,
      remedy: `Set "tier" accordingly, or take ${outermost} out.`,
    });
  }
  return [...faults.values()];
}
