/** One instruction, its continued lines joined: `{ name: "COPY", text: "--from=build /a /b" }`. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** From one FROM to the next; the instructions before the first are apart. */
export interface Stage {
  /** What follows FROM. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** ARGs before the first FROM. */
  readonly global: readonly Instruction[];
  readonly stages: readonly Stage[];
}

/** A file that a stage takes, from the context or from an earlier stage. */
export interface Copied {
  /** Undefined: the build context. */
  readonly stage: string | undefined;
  readonly source: string;
  /** Where it lies in the image; ends with its own name where the instruction names a folder. */
  readonly target: string;
}

export function readDockerfile(text: string): Dockerfile {
  const lines = text
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join("\n")
    .replaceAll(/\\\n\s*/g, " ");
  const global: Instruction[] = [];
  const stages: { from: string; instructions: Instruction[] }[] = [];
  for (const line of lines.split("\n").filter((each) => each !== "")) {
    const [, name = "", rest = ""] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    if (name === "") throw new Error(`the Dockerfile has a line that is no instruction: ${line}`);
    if (name === "FROM") stages.push({ from: rest, instructions: [] });
    else (stages.at(-1)?.instructions ?? global).push({ name, text: rest });
  }
  return { global, stages };
}

/** The texts of every instruction of that name, in order. */
export function textsOf({ instructions }: Stage, name: string): string[] {
  return instructions.filter((each) => each.name === name).map(({ text }) => text);
}

/** The last stage: what the image is. */
export function finalStage({ stages }: Dockerfile): Stage {
  const last = stages.at(-1);
  if (last === undefined) throw new Error("the Dockerfile has no FROM");
  return last;
}

/** A command in exec form; undefined: it is missing, or in shell form. */
export function execForm(stage: Stage, name: "ENTRYPOINT" | "CMD" | "HEALTHCHECK"): readonly string[] | undefined {
  const text = textsOf(stage, name).at(-1) ?? "";
  const [list] = /\[.*\]$/.exec(text) ?? [];
  return list === undefined ? undefined : (JSON.parse(list) as string[]);
}

/** What ENV says, `KEY="a value"` and `KEY=value` alike. */
export function environmentOf(stage: Stage): Record<string, string> {
  const pairs = textsOf(stage, "ENV").flatMap((text) => [...text.matchAll(/(\w+)=(?:"([^"]*)"|(\S*))/g)]);
  return Object.fromEntries(pairs.map(([, name = "", quoted, plain]) => [name, quoted ?? plain ?? ""]));
}

export function copiedFiles(stage: Stage): Copied[] {
  return textsOf(stage, "COPY").flatMap((text) => {
    const words = text.split(" ").filter((word) => !word.startsWith("--"));
    const from = /--from=(\S+)/.exec(text)?.[1];
    const target = words.at(-1) ?? "";
    return words.slice(0, -1).map((source) => ({
      stage: from,
      source,
      target: target.endsWith("/") ? `${target}${source.split("/").at(-1) ?? ""}` : target,
    }));
  });
}

/** Whether Docker's build context has the file, by the text of .dockerignore: the last pattern that matches decides. */
export function inContext(ignore: string, path: string): boolean {
  let within = true;
  for (const line of ignore.split("\n").map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const pattern = line.replace(/^!/, "").replace(/\/$/, "");
    // A pattern that matches a folder matches all that is in it.
    const parts = pattern.split("/").map((part) => part.replaceAll(/[.+^$()|{}]/g, "\\$&"));
    const source = parts
      .map((part) => (part === "**" ? "(?:.*/)?" : `${part.replaceAll("*", "[^/]*")}/`))
      .join("")
      .replace(/\/$/, "");
    if (new RegExp(`^${source}(?:/|$)`).test(path)) within = line.startsWith("!");
  }
  return within;
}
