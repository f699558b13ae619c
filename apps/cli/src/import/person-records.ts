import type { NamedMembers } from "./json-lines.ts";
import { Members } from "./members.ts";
import type { Understood } from "./parsed-row.ts";

/** A person as the gateway's import takes them. Missing teams are made. */
export interface Person {
  readonly name: string;
  readonly email?: string;
  readonly teams: readonly string[];
}

/** Understands a person: `{name, email?, teams}`. Teams are a list, or a text with commas, semicolons or bars between. */
export function understandPerson(record: NamedMembers): Understood<Person> {
  const members = new Members(record);
  const name = members.takeText("name");
  const email = members.takeText("email", "mail");
  const teams = members.take("teams", "team");
  const fault = [name, email].find((each) => typeof each === "object");
  if (fault !== undefined && typeof fault === "object") return { kind: "fault", detail: fault.fault };
  if (typeof name !== "string") return { kind: "fault", detail: "The person has no name." };
  const listed = teams === undefined ? [] : readTeams(teams.value);
  if (listed === undefined) return { kind: "fault", detail: `"${teams?.name}" must be a list of names.` };
  const ignored = Object.keys(members.rest());
  return {
    kind: "row",
    warnings: ignored.length === 0 ? [] : [`Left out, because a user has no such member: ${ignored.join(", ")}.`],
    row: { name, ...(typeof email === "string" ? { email } : {}), teams: listed },
  };
}

function readTeams(value: unknown): string[] | undefined {
  const parts: unknown[] =
    typeof value === "string" ? value.split(/[,;|]/u) : Array.isArray(value) ? value : [undefined];
  if (!parts.every((part) => typeof part === "string")) return undefined;
  return [...new Set(parts.map((part) => part.normalize("NFC").trim()).filter((part) => part !== ""))];
}
