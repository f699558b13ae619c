import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repositoryFiles } from "../../scripts/repository/source-files.ts";
import { copiedFiles, type Dockerfile, finalStage, inContext, textsOf } from "./dockerfile.ts";

/** The Dockerfile's last stage as a folder, and the Node its base image has. */
export interface Image {
  /** What the file system holds of ours: `<folder>/opt/mosaic/…`. */
  readonly folder: string;
  readonly node: string;
  /** A command of the Dockerfile, for this machine: paths in the image are paths in `folder`. */
  readonly words: (command: readonly string[]) => string[];
}

/**
 * Does what an engine would do with the Dockerfile, as far as it is ours: takes the build context through .dockerignore, runs
 * the build stage's commands in it, and copies the last stage's files together. Base images are left out.
 */
export function buildImage(root: string, dockerfile: Dockerfile, folder: string): Image {
  const [context, built, image] = ["context", "built", "image"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const ignore = readFileSync(join(root, ".dockerignore"), "utf8");
  for (const path of repositoryFiles(root).filter((each) => inContext(ignore, each))) {
    mkdirSync(dirname(join(context, path)), { recursive: true });
    copyFileSync(join(root, path), join(context, path));
  }
  const [build] = dockerfile.stages;
  for (const command of build === undefined ? [] : textsOf(build, "RUN")) {
    const env = Object.entries(process.env).filter(
      ([name]) => !/^(npm_(lifecycle|package|command|config_local|config_prefix)|INIT_CWD|VITEST|NODE_)/.test(name),
    );
    const text = command.replaceAll("/built/", `${built}/`);
    execFileSync("sh", ["-euc", text], { cwd: context, env: Object.fromEntries(env), stdio: ["ignore", "ignore", 2] });
  }
  for (const { stage, source, target } of copiedFiles(finalStage(dockerfile))) {
    const from = stage === undefined ? join(root, source) : source.replace(/^\/built\//, `${built}/`);
    cpSync(from, join(image, target), { recursive: true });
  }
  const node = nodeOf(dockerfile, folder);
  return {
    folder: image,
    node,
    words: (command) => command.map((word) => (word === "node" ? node : word.replace(/^\/opt\//, `${image}/opt/`))),
  };
}

/** Node of the base image's major version, where any user may run it. */
function nodeOf({ global }: Dockerfile, folder: string): string {
  const [, major = ""] = /=node:(\d+)-/.exec(global[0]?.text ?? "") ?? [];
  const own = process.version.startsWith(`v${major}.`);
  const words = ["--yes", `--package=node@${major}`, "--", "node", "--print", "process.execPath"];
  const path = own ? process.execPath : execFileSync("npx", words, { cwd: folder, encoding: "utf8" }).trim();
  if (!existsSync(path)) throw new Error(`there is no Node ${major}`);
  const copy = join(folder, "node");
  copyFileSync(path, copy);
  chmodSync(copy, 0o755);
  return copy;
}
