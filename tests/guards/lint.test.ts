import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { plantTree, REPOSITORY } from "./planted-tree.ts";

const OFFENDERS: Readonly<Record<string, readonly [rule: string, text: string]>> = {
  "floating-promise": ["typescript(no-floating-promises)", `export function save(): void { Promise.resolve(1); }`],
  "misused-promise": [
    "typescript(no-misused-promises)",
    `export function each(list: number[]): void { list.forEach(async (n) => { await Promise.resolve(n); }); }`,
  ],
  "awaited-value": [
    "typescript(await-thenable)",
    `export async function one(): Promise<number> { return (await 1) + 1; }`,
  ],
  "any-type": ["typescript(no-explicit-any)", `export const anything: any = 1;`],
  "untyped-json": [
    "typescript(no-unsafe-return)",
    `export function parse(text: string): string { return JSON.parse(text); }`,
  ],
  "console-line": ["eslint(no-console)", `export function say(): void { console.log("hello"); }`],
  "inline-type-import": [
    "typescript(no-import-type-side-effects)",
    `import { type Server } from "node:http"; export type Listener = Server;`,
  ],
  "missing-case": [
    "typescript(switch-exhaustiveness-check)",
    `export function n(of: "a" | "b"): number { switch (of) { case "a": return 1; } return 0; }`,
  ],
  "default-export": ["import(no-default-export)", `const value = 1;\nexport default value;`],
  "first-cycle": [
    "import(no-cycle)",
    `import { two } from "./second-cycle.ts"; export const one = (): number => two();`,
  ],
  "second-cycle": [
    "import(no-cycle)",
    `import { one } from "./first-cycle.ts"; export const two = (): number => one();`,
  ],
  "unused-directive": [
    "unused oxlint-disable directive",
    `// oxlint-disable-next-line no-console\nexport const value = 1;`,
  ],
};

/** The rules broken in each file of a folder, by the lint configuration that lies in it. */
function lint(root: string): Record<string, string> {
  const args = [join(REPOSITORY, "node_modules/oxlint/bin/oxlint"), "-f", "json"];
  const { stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { filename: string; code?: string; message: string; severity: string }[];
  };
  const found: Record<string, string> = {};
  for (const { filename, code, message, severity } of diagnostics) {
    if (severity === "error") found[filename] = `${found[filename] ?? ""}\n${(code ?? message).toLowerCase()}`;
  }
  return found;
}

test("lint catches each planted offender and leaves what is allowed alone", () => {
  const root = plantTree({
    ".oxlintrc.json": readFileSync(join(REPOSITORY, ".oxlintrc.json"), "utf8"),
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        strict: true,
        target: "ES2023",
        module: "NodeNext",
        allowImportingTsExtensions: true,
        noEmit: true,
      },
    }),
    ...Object.fromEntries(Object.entries(OFFENDERS).map(([name, [, text]]) => [`src/${name}.ts`, `${text}\n`])),
    "src/clean.ts": `export async function save(): Promise<number> { return await Promise.resolve(1); }\n`,
    "apps/cli/src/print.ts": `export function say(): void { console.log("hello"); }\n`,
    "packages/federation-client/src/call.ts": `export const call = async (url: string): Promise<Response> => await fetch(url);\n`,
  });
  const found = lint(root);
  expect(found["src/clean.ts"]).toBeUndefined();
  expect(found["apps/cli/src/print.ts"]).toBeUndefined();
  expect(found["packages/federation-client/src/call.ts"]).toContain("eslint(no-restricted-globals)");
  for (const [name, [rule]] of Object.entries(OFFENDERS)) {
    expect(found[`src/${name}.ts`], name).toContain(rule);
  }
});
