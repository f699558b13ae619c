import { isId, Problem } from "@mosaicstack/foundation";
import type { Gateway } from "./gateway.ts";
import { cliProblem } from "./problems.ts";
import { type ListBody, textOf } from "./rows.ts";
import { sourceProblem } from "./sources.ts";

const PAGE = 200;

function idOf({ rows, partial, sources }: ListBody, unknown: () => Error, what: string): string {
  const [row] = rows;
  // Where a source is missing, nobody knows that the row is.
  if (row === undefined) throw partial ? sourceProblem(sources) : unknown();
  if (rows.length > 1) {
    const ids = rows
      .slice(0, 5)
      .map((each) => `${textOf(each, "id")} (${textOf(each, "team") || "personal"}, ${textOf(each, "_source")})`);
    throw cliProblem("reference_ambiguous", { detail: `${what} names more than one row: ${ids.join(", ")}.` });
  }
  return textOf(row, "id");
}

/**
 * The id of a row that a person named by its id or its key.
 * @param resource as in the path: `tasks`
 * @param source where to look the key up
 * @throws Problem `row_unknown`, `reference_ambiguous`
 */
export async function rowId(gateway: Gateway, resource: string, reference: string, source = "local"): Promise<string> {
  const lower = reference.toLowerCase();
  if (isId(lower)) return lower;
  const { body } = await gateway.call<ListBody>("GET", `/api/v1/${resource}`, {
    query: { key: reference, limit: 5, source },
  });
  return idOf(
    body,
    () => cliProblem("row_unknown", { detail: `None of your ${resource} has the key "${reference}".` }),
    `"${reference}"`,
  );
}

/**
 * The id of a team that a person named by its id or its name: one they belong to or, for admins, any.
 * @param source where to look the name up
 * @throws Problem `team_unknown`, `reference_ambiguous`
 */
export async function teamId(gateway: Gateway, reference: string, source = "local"): Promise<string> {
  const lower = reference.toLowerCase();
  if (isId(lower)) return lower;
  const unknown = () => cliProblem("team_unknown", { detail: `You belong to no team "${reference}".` });
  if (source === "local") {
    try {
      const { body } = await gateway.call<{ id: string }>("GET", "/api/v1/teams/named", { query: { name: reference } });
      return body.id;
    } catch (error) {
      throw error instanceof Problem && error.code === "not_found" ? unknown() : error;
    }
  }
  const { body } = await gateway.call<ListBody>("GET", "/api/v1/teams", {
    query: { name: reference, limit: 5, source },
  });
  return idOf(body, unknown, `"${reference}"`);
}

/** A user as the gateway lists them to admins. */
export interface UserRow {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
  readonly created_at?: string;
}

interface UserPage {
  readonly rows: readonly UserRow[];
  readonly next_cursor: string | null;
}

/** Every user, page by page. Admins only. */
export async function* everyUser(gateway: Gateway): AsyncGenerator<UserRow> {
  let cursor: string | undefined;
  do {
    const { body } = await gateway.call<UserPage>("GET", "/api/v1/users", {
      query: { limit: PAGE, cursor },
      patient: true,
    });
    yield* body.rows;
    cursor = body.next_cursor ?? undefined;
  } while (cursor !== undefined);
}

/** The id of a user that an admin named by id, e-mail or name. @throws Problem `user_unknown`, `reference_ambiguous` */
export async function userId(gateway: Gateway, reference: string): Promise<string> {
  const lower = reference.toLowerCase();
  if (isId(lower)) return lower;
  const named: UserRow[] = [];
  for await (const user of everyUser(gateway)) {
    if (user.email.toLowerCase() === lower) return user.id;
    if (user.name === reference) named.push(user);
  }
  const [user, other] = named;
  if (user === undefined)
    throw cliProblem("user_unknown", { detail: `No user has the name or e-mail address "${reference}".` });
  if (other !== undefined) {
    throw cliProblem("reference_ambiguous", {
      detail: `${named.length} users are called "${reference}": ${named
        .slice(0, 5)
        .map(({ email }) => email)
        .join(", ")}.`,
      remedy: "Give the e-mail address or the id instead.",
    });
  }
  return user.id;
}
