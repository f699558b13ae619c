import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";

/** Kept out of the bundle, because they read files beside their own modules (WebAssembly, extension archives). */
const EXTERNAL: readonly string[] = ["@electric-sql/pglite", "@electric-sql/pglite-pgvector"];

/** What dependencies try to load and do without; each is absent from a plain install. */
const OPTIONAL: ReadonlySet<string> = new Set([
  "@opentelemetry/api",
  "@valkey/valkey-glide",
  "pg-native",
  "supports-color",
]);

/** `require` for the CommonJS packages inside the bundle: they ask for Node's own modules with it. */
const BANNER = `import { createRequire as createRequireOfBundle } from "node:module";
const require = createRequireOfBundle(import.meta.url);`;

/** Modules of a runtime; some (node:sqlite, bun:sqlite) are not in every one, and are asked for where they are. */
const BUILT_IN = /^(node|bun):/;

const HASHBANG = "#!/usr/bin/env node\n";

/** What went into a bundle. */
export interface Bundle {
  /** Sources that were bundled, as paths from the root. */
  readonly inputs: readonly string[];
  /** npm packages that the bundle loads at run time. */
  readonly external: readonly string[];
  /** JavaScript written, in bytes; source maps apart. */
  readonly bytes: number;
}

/**
 * Bundles the command into `folder` as `mosaic.js` and its chunks. What the sources reach by `import()` stays a chunk of
 * its own, so that a tier loads what it uses. All files lie in the one folder: see assets.ts.
 *
 * @throws when a source does not build, or imports a package that is neither bundled nor known as external.
 */
export async function bundleCommand(root: string, folder: string): Promise<Bundle> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { mosaic: "apps/cli/src/main.ts" },
    outdir: folder,
    entryNames: "[name]",
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    platform: "node",
    target: "node20.19",
    format: "esm",
    // Plugins and errors are known by their functions' and classes' names.
    keepNames: true,
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    external: [...EXTERNAL],
    banner: { js: BANNER },
    metafile: true,
    logLevel: "warning",
  });
  makeExecutable(join(folder, "mosaic.js"));
  return {
    inputs: Object.keys(metafile.inputs),
    external: externalPackages(metafile),
    bytes: Object.entries(metafile.outputs)
      .filter(([path]) => path.endsWith(".js"))
      .reduce((sum, [, output]) => sum + output.bytes, 0),
  };
}

function externalPackages({ outputs }: Metafile): string[] {
  const found = new Set<string>();
  for (const { path, external } of Object.values(outputs).flatMap(({ imports }) => imports)) {
    if (external !== true || isBuiltin(path) || BUILT_IN.test(path) || OPTIONAL.has(path)) continue;
    const name = EXTERNAL.find((known) => path === known || path.startsWith(`${known}/`));
    if (name === undefined) {
      throw new Error(`${path} is imported but not bundled: install it, or list it in scripts/build/bundle.ts`);
    }
    found.add(name);
  }
  return [...found].toSorted();
}

function makeExecutable(path: string): void {
  const code = readFileSync(path, "utf8");
  if (!code.startsWith("#!")) {
    writeFileSync(path, HASHBANG + code);
    // One more line above the code: an empty group in front of the mappings.
    const map = JSON.parse(readFileSync(`${path}.map`, "utf8")) as { mappings: string };
    writeFileSync(`${path}.map`, JSON.stringify({ ...map, mappings: `;${map.mappings}` }));
  }
  chmodSync(path, 0o755);
}
