import type { Gateway } from "../gateway.ts";
import { type ListBody, textOf } from "../rows.ts";
import { formatTable } from "../table.ts";
import type { Narration } from "./narration.ts";
import * as proof from "./proof.ts";
import { type Employee, tasksAtWork, workData } from "./sample-data.ts";

/** Somebody's gateway at home, signed in as them. */
export interface EmployeeHome {
  readonly employee: Employee;
  readonly gateway: Gateway;
}

/** The same with the grant that work made for it. */
export interface EnrolledHome extends EmployeeHome {
  readonly grantId: string;
}

/** What somebody's home was answered, and as whom work knew it. */
export interface EmployeeAnswer {
  readonly employee: Employee;
  readonly certificate: proof.CertificateSeen;
  readonly body: ListBody;
}

/**
 * Enrolls the colleagues' homes, has them and the first one ask the same at the same time, and shows what of work each
 * was given.
 *
 * @throws Problem `demo_not_as_expected` where one is given more than is theirs, or less
 */
export async function eachTheirOwn(
  work: Gateway,
  first: EnrolledHome,
  colleagues: readonly EmployeeHome[],
  narration: Narration,
): Promise<EmployeeAnswer[]> {
  for (const { employee } of colleagues) narration.command("work", proof.grantCommand(employee));
  const enrolled = await Promise.all(
    colleagues.map(async (home) => ({ ...home, grantId: (await proof.enroll(home.gateway, work, home.employee)).id })),
  );
  narration.command("each home", "mosaic task list --source all");
  const answers = await Promise.all(
    [first, ...enrolled].map(async (home) => ({ ...home, body: await proof.listTasks(home.gateway) })),
  );
  narration.say(placesTable(answers));
  for (const { employee, body } of answers) proof.expectBlended(body, employee);
  const seen = await Promise.all(
    answers.map(async ({ employee, grantId, body }) => ({
      employee,
      body,
      certificate: await proof.expectCertificate(work, grantId),
    })),
  );
  proof.expectOwnCertificates(seen);
  const each = seen.map(({ employee }) => `${employee} gets ${tasksAtWork(employee).length}`).join(", ");
  narration.say(`Of work's ${workData.tasks.length} tasks ${each}: their own and their teams'.`);
  narration.say(
    `work saw a client certificate of each: subjects ${seen.map(({ certificate }) => certificate.subject).join(", ")}`,
  );
  return seen;
}

/** How many tasks of each place at work came to each home. A place is a team, or what is somebody's own. */
function placesTable(answers: readonly { readonly employee: Employee; readonly body: ListBody }[]): string {
  const places = [
    ...new Set(workData.tasks.flatMap(({ team }) => team ?? [])),
    ...workData.people.map(({ name }) => ownPlace(name)),
  ];
  const given = answers.map(({ body }) =>
    body.rows
      .filter((row) => row["_source"] === proof.WORK_SOURCE)
      .map((row) => textOf(row, "team") || ownPlace(textOf(row, "owner"))),
  );
  return formatTable(
    [{ heading: "TASKS AT WORK" }, ...answers.map(({ employee }) => ({ heading: employee.toUpperCase() }))],
    places.map((place) => [
      place,
      ...given.map((theirs) => shownCount(theirs.filter((each) => each === place).length)),
    ]),
    undefined,
  );
}

const ownPlace = (owner: string): string => `${owner}'s own`;
const shownCount = (count: number): string => (count === 0 ? "-" : String(count));
