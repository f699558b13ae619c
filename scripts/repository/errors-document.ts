import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readWorkspaces } from "./source-files.ts";

/** One row of a package's error table, as docs/errors.md lists it. */
export interface DocumentedProblem {
  /** The workspace that has it: `gateway`. */
  readonly of: string;
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly remedy: string;
}

interface Row {
  readonly status: number;
  readonly title: string;
  readonly remedy: string;
}

function isCallableTable(exported: unknown): exported is { readonly table: Readonly<Record<string, Row>> } {
  return typeof exported === "function" && "table" in exported;
}

/** Every code of every workspace's `src/problems.ts`: a new table is found, not registered. */
export async function documentedProblems(root: string): Promise<DocumentedProblem[]> {
  const found: DocumentedProblem[] = [];
  for (const { folder, shortName } of readWorkspaces(root)) {
    const file = join(root, folder, "src", "problems.ts");
    if (!existsSync(file)) continue;
    const exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
    for (const { table } of Object.values(exported).filter(isCallableTable)) {
      for (const [code, row] of Object.entries(table)) found.push({ of: shortName, code, ...row });
    }
  }
  return found.toSorted((left, right) => left.code.localeCompare(right.code) || left.of.localeCompare(right.of));
}

const HEAD = `# Errors

Every refusal and fault has a stable \`code\`. Over HTTP it comes as \`application/problem+json\` (RFC 9457):

\`\`\`json
{
  "type": "urn:mosaic:problem:not_found",
  "title": "No such row, or none that you may see.",
  "status": 404,
  "code": "not_found",
  "detail": "No such row, or none that you may see.",
  "remedy": "Check the id; list the resource to see what is visible to you.",
  "request_id": "01a20856-d172-7231-953d-e0f58f8290d3"
}
\`\`\`

\`code\` is what a program should look at; \`detail\` says what happened this time and may change. \`request_id\` is also in
the header \`x-request-id\` and in the gateway's log. Some problems have further members, such as \`path\`: where in the
request the fault is. What is somebody else's, out of a grant's scope, or not there at all is answered alike.

The command line prints the same codes; its exit status follows from them. Statuses of codes that never travel over HTTP
(a start that fails, say) tell their kind: 5xx is for whoever runs the gateway.

This file is made from the tables in \`src/problems.ts\` of each package by \`npx tsx scripts/generate-errors-document.ts\`.
`;

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** docs/errors.md. */
export async function errorsDocument(root: string): Promise<string> {
  const rows = (await documentedProblems(root)).map(
    ({ of, code, status, title, remedy }) => `| \`${code}\` | ${status} | ${cell(title)} | ${cell(remedy)} | ${of} |`,
  );
  return `${HEAD}\n| code | status | what happened | what to do | from |\n| --- | --- | --- | --- | --- |\n${rows.join("\n")}\n`;
}
