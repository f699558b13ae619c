import { cpSync, existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { readModule } from "../repository/read-module.ts";

/**
 * Brings what our modules find by `new URL("./…", import.meta.url)` to where the bundle's chunks find it. The chunks lie
 * in one flat folder, so `./migrations/` of any source becomes `migrations/` there.
 *
 * @param inputs sources in the bundle, as paths from `root`.
 * @param folder where the chunks are; a reference that leaves it (`../package.json`) must already have its file.
 * @returns what was copied, as paths from `folder`.
 * @throws when a file is missing, two sources claim one name, or a module is reached by URL (it would not be bundled).
 */
export function copyAssets(root: string, inputs: readonly string[], folder: string): string[] {
  const copied = new Map<string, string>();
  for (const input of inputs.filter((path) => /^(apps|packages)\/[^/]+\/src\/.*\.tsx?$/.test(path))) {
    const { assets } = readModule(input, readFileSync(join(root, input), "utf8"));
    for (const { path, line } of assets) {
      const at = `${input}:${line}: new URL("${path}", import.meta.url)`;
      const from = resolve(root, dirname(input), path);
      const to = resolve(folder, path);
      if (!existsSync(from)) throw new Error(`${at} names nothing in the repository`);
      if (/\.[mc]?[jt]sx?$/.test(from)) throw new Error(`${at} reaches a module, which is not bundled: import it`);
      if (relative(folder, to).startsWith("..")) {
        if (!existsSync(to)) throw new Error(`${at} leaves the bundle's folder: put the module beside what it reads`);
        continue;
      }
      const earlier = copied.get(to);
      if (earlier !== undefined && earlier !== from) {
        throw new Error(`${at} and ${relative(root, earlier)} share a name`);
      }
      if (earlier === undefined) cpSync(from, to, { recursive: statSync(from).isDirectory() });
      copied.set(to, from);
    }
  }
  return [...copied.keys()].map((path) => relative(folder, path)).toSorted();
}
