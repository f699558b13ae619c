import type { NamedMembers } from "./json-lines.ts";
import { contentKey, Members } from "./members.ts";
import type { ImportRow, Understood } from "./parsed-row.ts";
import { readTaskStatus } from "./task-status.ts";

/**
 * Understands a task from named members, whatever program wrote them. Members of no meaning here become properties, a
 * status or date that can't be understood too: nothing is lost.
 */
export function understandTask(record: NamedMembers): Understood<ImportRow> {
  const members = new Members(record);
  const title = members.takeText("title", "name", "summary");
  const key = members.takeText("key", "id");
  const team = members.takeText("team");
  const owner = members.takeText("owner");
  const description = members.take("description");
  const fault = [title, key, team, owner].find((each) => typeof each === "object");
  if (fault !== undefined && typeof fault === "object") return { kind: "fault", detail: fault.fault };
  if (typeof title !== "string") return { kind: "fault", detail: "The task has no title." };
  if (description !== undefined && typeof description.value !== "string") {
    members.kept[description.name] = description.value;
  }

  const status = takeStatus(members);
  const due = members.takeDate({ warnWhenEmpty: false }, "due", "duedate", "dueat");
  const created = members.takeDate({ warnWhenEmpty: true }, "created", "createdat", "creationdate");
  const updated = members.takeDate({ warnWhenEmpty: true }, "updated", "updatedat", "lastupdated", "modified");
  const fitting = members.fitTitle(title);
  const given = members.take("properties");
  const properties = { ...asProperties(given), ...members.rest() };
  const text = typeof description?.value === "string" ? description.value : undefined;
  return {
    kind: "row",
    warnings: members.warnings,
    ...(typeof key === "string" ? {} : { keyIsMade: true }),
    row: {
      // What changes while a task is worked on is no part of it: else an edited task would come in a second time.
      key: typeof key === "string" ? key : contentKey([title, team, owner, created]),
      ...(typeof owner === "string" ? { owner } : {}),
      ...(typeof team === "string" ? { team } : {}),
      ...(created === undefined ? {} : { created_at: created }),
      ...(updated === undefined ? {} : { updated_at: updated }),
      input: {
        title: fitting,
        status,
        ...(text === undefined ? {} : { description: text }),
        ...(due === undefined ? {} : { due_at: due }),
        properties,
      },
    },
  };
}

/** The status, with the word it was written as kept where that is another. */
function takeStatus(members: Members): string {
  const found = members.take("status", "state");
  if (found === undefined) return "open";
  const word = typeof found.value === "string" ? found.value.trim() : JSON.stringify(found.value);
  if (word === "") return "open";
  const status = readTaskStatus(word);
  if (status !== word) members.kept["status"] = word;
  if (status === undefined) members.warnings.push(`The status ${JSON.stringify(word)} is not known; the task is open.`);
  return status ?? "open";
}

/** `properties` as an earlier export wrote them: an object goes back to where it was. */
function asProperties(found: { readonly name: string; readonly value: unknown } | undefined): Record<string, unknown> {
  if (found === undefined) return {};
  const { name, value } = found;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : { [name]: value };
}
