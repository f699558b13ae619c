import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelData, ModelPerson, ModelRow } from "../federation/blended-model.ts";
import { dated } from "../federation/generated-data.ts";

interface Proposal {
  readonly key: string;
  readonly title: string;
  readonly team: string;
  readonly owner: string;
}

interface TaskRecord extends Proposal {
  readonly status: string;
  readonly assignees: readonly string[];
  readonly created: string;
  readonly updated: string;
  readonly stage: string;
  readonly milestone: string;
  readonly related: readonly string[];
}

interface NoteRecord extends Proposal {
  readonly markdown: string;
}

/** Whatever another word means is kept in the properties; it matters to no access rule. */
const STATUS: Readonly<Record<string, string>> = {
  provisional: "open",
  implementable: "in_progress",
  implemented: "done",
};

function readLines<Line>(folder: string, name: string): Line[] {
  const lines = readFileSync(join(folder, name), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
}

/** One personal row for each, which the data has none of: the person's own, and nobody else's. */
function personalRow({ name }: ModelPerson, kind: string): ModelRow {
  return { key: `own ${kind}`, owner: name, input: { title: `${kind} of ${name} alone` } };
}

/**
 * Enhancement proposals as people, tasks and notes.
 * @param folder with people.jsonl, tasks.jsonl and notes.jsonl
 */
export function readProposals(folder: string): ModelData {
  const people = readLines<ModelPerson>(folder, "people.jsonl").map(({ name, teams }) => ({ name, teams }));
  const tasks = readLines<TaskRecord>(folder, "tasks.jsonl").map(
    ({ key, title, team, owner, status, created, updated, assignees, stage, milestone, related }): ModelRow => ({
      key,
      team,
      owner,
      ...dated(created, updated),
      input: {
        title,
        status: STATUS[status] ?? "cancelled",
        properties: { status, created, updated, assignees, stage, milestone, related },
      },
    }),
  );
  const notes = readLines<NoteRecord>(folder, "notes.jsonl").map(({ key, title, team, owner, markdown }): ModelRow => ({
    key,
    team,
    owner,
    input: { title, body: markdown },
  }));
  return {
    people,
    tasks: [...tasks, ...people.map((person) => personalRow(person, "task"))],
    notes: [...notes, ...people.map((person) => personalRow(person, "note"))],
  };
}
