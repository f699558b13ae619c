import { describe, expect, test } from "vitest";
import { findImportOffences } from "../../scripts/repository/import-offences.ts";
import { plantTree, REPOSITORY } from "./planted-tree.ts";

const ours = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [`@mosaicstack/${name}`, "*"]));

const manifest = (name: string, dependencies: Record<string, string>, more: object = {}): string =>
  JSON.stringify({ name: `@mosaicstack/${name}`, dependencies, ...more });

/** A small tree that keeps every rule and uses what the rules allow. */
const CLEAN: Readonly<Record<string, string>> = {
  "package.json": JSON.stringify({ workspaces: ["apps/*", "packages/*"], devDependencies: { vitest: "4" } }),
  "packages/foundation/package.json": manifest("foundation", {}),
  "packages/foundation/src/index.ts": `export { clock } from "./clock.ts";`,
  "packages/foundation/src/clock.ts": `import { hrtime } from "node:process"; export const clock = hrtime;`,
  "packages/foundation/test/clock.test.ts": `import { test } from "vitest"; import { clock } from "@mosaicstack/foundation"; test("", clock);`,
  "packages/config/package.json": manifest("config", { ...ours("foundation"), zod: "4" }),
  "packages/config/src/index.ts": `import { z } from "zod/v4"; export const port = z.parse(process.env["PORT"]);`,
  "packages/storage/package.json": manifest("storage", ours("config")),
  "packages/storage/src/index.ts": `export const store = 1;`,
  "packages/storage/test/suite.ts": `export const suite = 1;`,
  "packages/resources/package.json": manifest("resources", ours("storage")),
  "packages/resources/src/index.ts": `export const tasks = 1;`,
  "packages/federation-client/package.json": manifest("federation-client", ours("storage"), {
    devDependencies: ours("harness"),
  }),
  "packages/federation-client/src/index.ts": `import { store } from "@mosaicstack/storage"; export const peers = store;`,
  "packages/federation-client/test/peers.test.ts": `import { boot } from "@mosaicstack/harness"; boot(process.env["HOME"]);`,
  "packages/federation-server/package.json": manifest("federation-server", ours("resources")),
  "packages/federation-server/src/index.ts": `export const grants = 1;`,
  "packages/harness/package.json": manifest("harness", ours("gateway")),
  "packages/harness/src/index.ts": `export const boot = 1;`,
  "apps/gateway/package.json": manifest("gateway", ours("federation-client", "federation-server", "harness", "mosaic")),
  "apps/gateway/src/index.ts": `
    import type { Grants } from "@mosaicstack/federation-server";
    import type { Serve } from "./federation/serve.ts";
    // import { grants } from "@mosaicstack/federation-server"; and process.env in a comment
    export const text = 'import "@mosaicstack/federation-server"; process.env';
    export const load = async (): Promise<Serve & Grants> => (await import("./federation/serve.ts")).serve;`,
  "apps/gateway/src/federation/serve.ts": `import { grants } from "@mosaicstack/federation-server"; export const serve = grants;`,
  "apps/cli/package.json": manifest("mosaic", ours("gateway", "federation-client", "harness")),
  "apps/cli/src/main.ts": `import { load } from "@mosaicstack/gateway"; await load();`,
  "apps/cli/src/environment.ts": `export const home = process.env["HOME"];`,
  "tests/federation/revoke.test.ts": `import { boot } from "@mosaicstack/harness"; import { test } from "vitest"; test("", boot);`,
  "tests/federated/suite.test.ts": `import { suite } from "../../packages/storage/test/suite.ts"; export const same = suite;`,
  "benchmarks/run.ts": `import { boot } from "@mosaicstack/harness"; boot(process.env["RUNS"]);`,
};

const GATEWAY = "apps/gateway/src/compose.ts";
const CLIENT = "packages/federation-client/src/fan-out.ts";

const OFFENDERS: readonly [what: string, rule: string, file: string, text: string][] = [
  ["foundation imports one of ours", "direction", "packages/foundation/src/id.ts", `import "@mosaicstack/config";`],
  ["config imports storage", "direction", "packages/config/src/tier.ts", `import "@mosaicstack/storage";`],
  [
    "storage imports resources",
    "direction",
    "packages/storage/src/read.ts",
    `export { tasks } from "@mosaicstack/resources";`,
  ],
  [
    "the client side imports the serving side",
    "direction",
    CLIENT,
    `import { grants } from "@mosaicstack/federation-server";`,
  ],
  [
    "the client side takes only types from the serving side",
    "direction",
    CLIENT,
    `import type { Grant } from "@mosaicstack/federation-server";`,
  ],
  [
    "the client side names the serving side in a type",
    "direction",
    CLIENT,
    `export type Grant = import("@mosaicstack/federation-server").Grant;`,
  ],
  [
    "the serving side loads the client side when reached",
    "direction",
    "packages/federation-server/src/verbs.ts",
    `await import("@mosaicstack/federation-client");`,
  ],
  [
    "the serving side's tests import the client side",
    "direction",
    "packages/federation-server/test/verbs.test.ts",
    `import "@mosaicstack/federation-client";`,
  ],
  ["a package imports an application", "direction", "packages/resources/src/run.ts", `import "@mosaicstack/gateway";`],
  ["the gateway imports the command", "direction", GATEWAY, `import "@mosaicstack/mosaic";`],
  ["the gateway imports the harness", "direction", GATEWAY, `import { boot } from "@mosaicstack/harness";`],
  [
    "the command imports the harness",
    "direction",
    "apps/cli/src/demo.ts",
    `import { boot } from "@mosaicstack/harness";`,
  ],
  ["a script imports the harness", "direction", "scripts/seed.ts", `import { boot } from "@mosaicstack/harness";`],
  [
    "a package imports itself by name",
    "direction",
    "packages/storage/src/self.ts",
    `import { store } from "@mosaicstack/storage";`,
  ],

  [
    "the gateway loads the serving side on start",
    "on demand",
    GATEWAY,
    `import { grants } from "@mosaicstack/federation-server";`,
  ],
  ["… re-exports it", "on demand", GATEWAY, `export { grants } from "@mosaicstack/federation-server";`],
  ["… requires it", "on demand", GATEWAY, `require("@mosaicstack/federation-server");`],
  [
    "… imports inline types, which still load it",
    "on demand",
    GATEWAY,
    `import { type Grant } from "@mosaicstack/federation-server";`,
  ],
  ["… loads its own federation folder", "on demand", GATEWAY, `import { serve } from "./federation/serve.ts";`],
  ["… and from a deeper folder", "on demand", "apps/gateway/src/http/grants.ts", `import "../federation/serve.ts";`],
  [
    "the command loads the client side on start",
    "on demand",
    "apps/cli/src/peer.ts",
    `import "@mosaicstack/federation-client";`,
  ],

  ["a source imports an undeclared npm package", "undeclared", CLIENT, `import { Agent } from "undici";`],
  ["a source imports a scoped undeclared package", "undeclared", CLIENT, `import "@scope/name/deep.js";`],
  ["a source imports what only the root declares", "undeclared", CLIENT, `import { test } from "vitest";`],
  [
    "a source imports an undeclared workspace it might import",
    "undeclared",
    CLIENT,
    `import { clock } from "@mosaicstack/foundation";`,
  ],
  ["a test imports what nobody declares", "undeclared", "tests/vectors/scope.test.ts", `import "fast-check";`],

  ["an import reaches into another package", "deep import", CLIENT, `import "@mosaicstack/storage/src/index.ts";`],
  [
    "a root test reaches into a package",
    "deep import",
    "tests/guards/a.test.ts",
    `import "@mosaicstack/storage/package.json";`,
  ],
  ["a relative import leaves its package", "leaves package", CLIENT, `import "../../storage/src/index.ts";`],
  ["a relative import leaves for the root", "leaves package", CLIENT, `import "../../../benchmarks/run.ts";`],
  [
    "a root test enters a package by path",
    "leaves package",
    "tests/guards/b.test.ts",
    `await import("../../packages/storage/src/index.ts");`,
  ],
  [
    "a federated test enters a package's sources",
    "leaves package",
    "tests/federated/a.test.ts",
    `import "../../packages/storage/src/index.ts";`,
  ],
  [
    "another test runs a package's suite",
    "leaves package",
    "tests/guards/c.test.ts",
    `import "../../packages/storage/test/suite.ts";`,
  ],
  ["a source imports a computed name", "computed", CLIENT, `const name = "./a.ts"; await import(name);`],

  ["a source reads the environment", "environment", CLIENT, `export const home = process.env["HOME"];`],
  ["… by index", "environment", CLIENT, `export const all = process["env"];`],
  ["… through globalThis", "environment", CLIENT, `export const all = globalThis.process.env;`],
  ["… by destructuring", "environment", CLIENT, `const { env: all } = process;`],
  ["… by a named import", "environment", CLIENT, `import { env } from "node:process";`],
  ["… by another name of process", "environment", CLIENT, `import self from "node:process";`],
  ["the command reads the environment elsewhere", "environment", "apps/cli/src/main.ts", `process.env["HOME"];`],
];

describe("import rules", () => {
  test("the repository keeps them", () => {
    expect(findImportOffences(REPOSITORY)).toEqual([]);
  });

  test("a tree that uses all that is allowed keeps them", () => {
    expect(findImportOffences(plantTree(CLEAN))).toEqual([]);
  });

  test.each(OFFENDERS)("caught: %s (%s)", (_what, rule, file, text) => {
    const offences = findImportOffences(plantTree({ ...CLEAN, [file]: `\n${text}\n` }));
    expect(offences).toEqual([{ file, line: 2, rule, message: expect.any(String) }]);
  });

  test("caught: a workspace nobody wrote a row for", () => {
    const root = plantTree({ ...CLEAN, "packages/novel/package.json": manifest("novel", {}) });
    expect(findImportOffences(root)).toMatchObject([{ file: "packages/novel", rule: "no row" }]);
  });

  test("a file that does not parse is an error, not a pass", () => {
    const root = plantTree({ ...CLEAN, [CLIENT]: `import { from "x";` });
    expect(() => findImportOffences(root)).toThrow(/fan-out\.ts does not parse/);
  });
});
