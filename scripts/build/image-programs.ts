import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

/** What the image holds beside the gateway, each one file that Node runs by itself: name without `.mjs`, and source. */
export const IMAGE_PROGRAMS: Readonly<Record<string, string>> = {
  "health-check": "deploy/image/health-check.ts",
  "own-root": "deploy/image/own-root.ts",
  "step-ca/create-authority-command": "deploy/step-ca/create-authority-command.ts",
};

/**
 * Makes `folder` hold the {@link IMAGE_PROGRAMS}, with the JSON files and templates they read beside them. What the folder
 * held is removed.
 *
 * @returns the files, as paths from `folder`.
 * @throws when the sources do not build.
 */
export async function buildImagePrograms(root: string, folder: string): Promise<string[]> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: { ...IMAGE_PROGRAMS },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    target: "node20.19",
    format: "esm",
    keepNames: true,
    // The licences of what is bundled ask for it.
    legalComments: "inline",
    logLevel: "warning",
  });
  for (const [name, source] of Object.entries(IMAGE_PROGRAMS)) {
    for (const file of readdirSync(dirname(join(root, source))).filter((each) => /\.(json|tpl)$/.test(each))) {
      cpSync(join(root, dirname(source), file), join(folder, dirname(name), file));
    }
  }
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.\w+$/.test(path))
    .toSorted();
}
