import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ComposeModel, readCompose } from "./compose-file.ts";
import { type Dockerfile, readDockerfile } from "./dockerfile.ts";

/** What a gateway is deployed by, as texts by path from the repository. A test changes one to see a check fail. */
export type ContainerTexts = Readonly<Record<(typeof PATHS)[number], string>>;

export const COMPOSE = "docker-compose.federated.yml";
export const STACK = "deploy/portainer/federated-test.stack.yml";
export const GUIDE = "docs/federation/TEST-INFRA.md";

const PATHS = [COMPOSE, STACK, GUIDE, "Dockerfile", ".dockerignore", ".ci/run"] as const;

export interface ContainerFiles {
  readonly texts: ContainerTexts;
  readonly composed: readonly { readonly path: typeof COMPOSE | typeof STACK; readonly model: ComposeModel }[];
  readonly dockerfile: Dockerfile;
}

export function readTexts(root: string): ContainerTexts {
  return Object.fromEntries(PATHS.map((path) => [path, readFileSync(join(root, path), "utf8")])) as ContainerTexts;
}

export function containerFiles(texts: ContainerTexts): ContainerFiles {
  return {
    texts,
    composed: ([COMPOSE, STACK] as const).map((path) => ({ path, model: readCompose(texts[path]) })),
    dockerfile: readDockerfile(texts.Dockerfile),
  };
}
