import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readManifest } from "../repository/source-files.ts";

const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
const LICENSE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/**
 * The licences of every package inside a bundle, as their terms ask of whoever passes them on.
 *
 * @param inputs sources in the bundle, as paths from `root`.
 */
export function thirdPartyLicenses(root: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((path) => PACKAGE_FOLDER.exec(path)?.[0] ?? []));
  const sections = new Map<string, string>();
  for (const folder of folders) {
    const { name = "", version = "", license = "see its source" } = readManifest(join(root, folder, "package.json"));
    const texts = readdirSync(join(root, folder))
      .filter((file) => LICENSE_FILE.test(file))
      .map((file) => readFileSync(join(root, folder, file), "utf8").trim());
    sections.set(`${name} ${version}`, [`${name} ${version} (${license})`, ...texts].join("\n\n"));
  }
  const ordered = [...sections.keys()].toSorted().map((key) => sections.get(key) ?? "");
  return `The command bundles these packages.\n\n${ordered.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
