import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ComposeModel } from "./compose-file.ts";

/** A Go program on compose-go, the library that Docker Compose reads its files with; the library holds the schema. */
const READER = join(import.meta.dirname, "compose-reader");
const LIBRARY = "github.com/compose-spec/compose-go/v2";

/** What Docker Compose understood of a file, its variables put in, or why it refuses it. */
export type Reading =
  | { readonly fault: string }
  | {
      readonly fault?: never;
      readonly project: Pick<ComposeModel, "name"> & {
        readonly services: Readonly<Record<string, { readonly environment?: unknown; readonly command?: unknown }>>;
      };
    };

export interface ComposeSpecification {
  /** What is wrong with a file, already interpolated, by the specification's JSON schema. */
  readonly schemaFaults: (model: unknown) => string[];
  /** Has compose-go read a file whole: interpolation, merging, schema, types, and references between its parts. */
  readonly read: (file: string, variables: Readonly<Record<string, string>>) => Reading;
  readonly close: () => void;
}

/**
 * Builds the reader and compiles the schema. Both come from the Go module proxy, in the versions and with the checksums of
 * compose-reader/go.sum.
 *
 * @throws Error without Go, or where the modules can't be had: the check is never left out.
 */
export function composeSpecification(): ComposeSpecification {
  const folder = mkdtempSync(join(tmpdir(), "mosaic-compose-reader-"));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  const reader = join(folder, "compose-reader");
  try {
    go("build", "-buildvcs=false", "-mod=readonly", "-o", reader, ".");
    const { Dir: library } = JSON.parse(go("mod", "download", "-json", LIBRARY)) as { Dir: string };
    const schema = JSON.parse(readFileSync(join(library, "schema/compose-spec.json"), "utf8")) as object;
    const validate = new Ajv2020({ allErrors: true, strict: false, validateFormats: false }).compile(schema);
    return {
      schemaFaults: (model) =>
        validate(model)
          ? []
          : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message ?? ""}`),
      read: (file, variables) => {
        const env = { PATH: process.env["PATH"], ...variables };
        return JSON.parse(execFileSync(reader, [file], { cwd: folder, env, encoding: "utf8" })) as Reading;
      },
      close,
    };
  } catch (cause) {
    close();
    throw new Error(`Compose files are checked by ${LIBRARY}: this test needs Go and a module proxy`, { cause });
  }
}

function go(...words: readonly string[]): string {
  return execFileSync("go", words, { cwd: READER, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
