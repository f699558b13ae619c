import { parse } from "yaml";

/** The part of a service that the checks read. */
export interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly user?: string;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly privileged?: boolean;
  readonly tmpfs?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly networks?: readonly string[];
  readonly secrets?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

/** A compose file, whole. */
export interface ComposeModel {
  readonly name?: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
  readonly networks?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, { readonly file?: string }>>;
}

/** One `${NAME:-default}` or `${NAME:?what to do}`. */
export interface Reference {
  readonly name: string;
  readonly operator: ":-" | ":?" | "";
  readonly rest: string;
}

const PATTERN = /\$(?:(\$)|\{(\w+)(?:(:-|:\?)([^}]*))?\}|(.?))/g;

/** The file as it is written, variables and all. Merge keys (`<<`) are taken in. */
export function readCompose(text: string): ComposeModel {
  return parse(text, { merge: true }) as ComposeModel;
}

/** Every variable that some value of `tree` takes, in order, repetitions included. */
export function referencesIn(tree: unknown): Reference[] {
  return textsIn(tree).flatMap((text) =>
    [...text.matchAll(PATTERN)].flatMap(([, , name, operator, rest]) =>
      name === undefined ? [] : [{ name, operator: (operator ?? "") as Reference["operator"], rest: rest ?? "" }],
    ),
  );
}

/** Every text that is a value somewhere in `tree`. */
export function textsIn(tree: unknown): string[] {
  if (typeof tree === "string") return [tree];
  return typeof tree === "object" && tree !== null ? Object.values(tree).flatMap(textsIn) : [];
}

/**
 * Puts variables into every value, as Compose does: an empty one counts as not set, `$$` is a dollar.
 *
 * @throws Error where a required variable is not set, with what the file says to do about it; or where a `$` is neither.
 */
export function interpolate<Tree>(tree: Tree, variables: Readonly<Record<string, string>>): Tree {
  if (typeof tree === "string") return interpolateText(tree, variables) as Tree;
  if (typeof tree !== "object" || tree === null) return tree;
  if (Array.isArray(tree)) return tree.map((each: unknown) => interpolate(each, variables)) as Tree;
  return Object.fromEntries(Object.entries(tree).map(([key, each]) => [key, interpolate(each, variables)])) as Tree;
}

function interpolateText(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    PATTERN,
    (whole, dollar?: string, name?: string, operator?: string, rest?: string, other?: string) => {
      if (dollar !== undefined) return "$";
      if (name === undefined) throw new Error(`"${whole}${other ?? ""}" in "${text}" is no variable: write $$`);
      const value = variables[name] ?? "";
      if (value !== "") return value;
      if (operator === ":?") throw new Error(`${name}: ${rest ?? ""}`);
      return rest ?? "";
    },
  );
}
