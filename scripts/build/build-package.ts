import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readManifest, readWorkspaces } from "../repository/source-files.ts";
import { copyAssets } from "./assets.ts";
import { bundleCommand } from "./bundle.ts";
import { thirdPartyLicenses } from "./third-party-licenses.ts";

/** What was built. */
export interface BuiltPackage {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  /** Folders and files copied beside the code, e.g. `migrations`. */
  readonly assets: readonly string[];
  /** JavaScript, in bytes; source maps apart. */
  readonly bytes: number;
}

/**
 * Makes `folder` an installable npm package of the `mosaic` command, from nothing: what the folder held is removed.
 *
 * The code goes to `app/`, one level down as `src/` is in the sources, so that `../package.json` is the manifest in both.
 *
 * @throws when the sources do not build, or a dependency that stays outside the bundle has no exact version.
 */
export async function buildPackage(root: string, folder: string): Promise<BuiltPackage> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const app = join(folder, "app");
  const bundle = await bundleCommand(root, app);

  const { engines = {} } = readManifest(join(root, "package.json"));
  const { name = "", version = "", description, license } = readManifest(join(root, "apps/cli/package.json"));
  const dependencies = exactVersions(root, bundle.external);
  const manifest = { name, version, description, license, type: "module", bin: { mosaic: "app/mosaic.js" }, engines };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ ...manifest, dependencies }, null, 2)}\n`);
  for (const file of ["LICENSE", "README.md"]) cpSync(join(root, file), join(folder, file));
  writeFileSync(join(folder, "THIRD-PARTY-LICENSES.txt"), thirdPartyLicenses(root, bundle.inputs));
  const assets = copyAssets(root, bundle.inputs, app);
  return { name, version, dependencies, assets, bytes: bundle.bytes };
}

function exactVersions(root: string, names: readonly string[]): Record<string, string> {
  const declared = new Map(readWorkspaces(root).flatMap(({ manifest }) => Object.entries(manifest.dependencies ?? {})));
  return Object.fromEntries(
    names.map((name) => {
      const version = declared.get(name) ?? "";
      if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
        throw new Error(
          `${name} stays outside the bundle, so a workspace must declare its exact version; found "${version}"`,
        );
      }
      return [name, version];
    }),
  );
}
