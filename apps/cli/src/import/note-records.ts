import type { NamedMembers } from "./json-lines.ts";
import { contentKey, Members } from "./members.ts";
import type { ImportRow, Understood } from "./parsed-row.ts";

/** Understands a note from named members: `{key, title, team, owner, markdown}`. What else there is becomes properties. */
export function understandNote(record: NamedMembers): Understood<ImportRow> {
  const members = new Members(record);
  const title = members.takeText("title", "name");
  const key = members.takeText("key", "id", "path");
  const team = members.takeText("team");
  const owner = members.takeText("owner");
  const fault = [title, key, team, owner].find((each) => typeof each === "object");
  if (fault !== undefined && typeof fault === "object") return { kind: "fault", detail: fault.fault };
  const text = members.take("markdown", "body", "text", "content");
  if (text !== undefined && typeof text.value !== "string")
    return { kind: "fault", detail: `"${text.name}" must be text.` };
  const name = typeof title === "string" ? title : typeof key === "string" ? key : undefined;
  if (name === undefined) return { kind: "fault", detail: "The note has neither a title nor a key." };

  const created = members.takeDate({ warnWhenEmpty: true }, "created", "createdat");
  const updated = members.takeDate({ warnWhenEmpty: true }, "updated", "updatedat", "modified");
  const body = typeof text?.value === "string" ? text.value : "";
  const fitting = members.fitTitle(name);
  return {
    kind: "row",
    warnings: members.warnings,
    ...(typeof key === "string" ? {} : { keyIsMade: true }),
    row: {
      // Without a key a note goes by its title: its text is what people edit.
      key: typeof key === "string" ? key : contentKey([name, team, owner, created]),
      ...(typeof owner === "string" ? { owner } : {}),
      ...(typeof team === "string" ? { team } : {}),
      ...(created === undefined ? {} : { created_at: created }),
      ...(updated === undefined ? {} : { updated_at: updated }),
      input: { title: fitting, body, properties: members.rest() },
    },
  };
}
