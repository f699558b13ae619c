import { setTimeout as pause } from "node:timers/promises";
import type { SourceReport } from "@mosaicstack/federation-protocol";
import { AUDIT_PATH, type AuditEntry } from "../audit.ts";
import type { Peer } from "../peers.ts";
import type { Gateway } from "../gateway.ts";
import type { Grant, IssuedInvite } from "../grants.ts";
import { cliProblem } from "../problems.ts";
import { type ListBody, textOf } from "../rows.ts";
import { type Employee, homeData, tasksAtWork } from "./sample-data.ts";

// Each function asks the gateways one thing and says no unless the answer is just what it should be: a demo that shows
// something else must fail.

const PEER = "work";
/** What the home gateway's user gives as `--source` to read from work alone. */
export const WORK_SOURCE = `federated:${PEER}`;
const ENROLL_TIMEOUT_MS = 60_000;
const PATIENCE_MS = 15_000;

/** What work lets each home gateway read. */
const scope = { resources: ["tasks", "notes"], include_teams: "all", include_personal: true } as const;
/** What it does not. */
export const DENIED_RESOURCE = "memory";

const grantName = (subject: Employee): string => `${subject.toLowerCase()}-at-home`;

/** The same as a person types it. */
export const grantCommand = (subject: Employee): string =>
  `mosaic federation grant create --name ${grantName(subject)} --subject ${subject} --resources tasks,notes --teams all --personal`;

function insist(holds: boolean, what: string): asserts holds {
  if (!holds) throw cliProblem("demo_not_as_expected", { detail: what });
}

/** Grant, invite, enrollment: through the two gateways' APIs, as the commands do it. The grant as work made it. */
export async function enroll(home: Gateway, work: Gateway, subject: Employee): Promise<Grant> {
  const { body: made } = await work.call<IssuedInvite & { grant: Grant }>("POST", "/api/v1/federation/grants", {
    body: { name: grantName(subject), subject, scope },
  });
  const { body: peer } = await home.call<Peer>("POST", "/api/v1/federation/peers", {
    body: { invite: made.invite, name: PEER },
    timeoutMs: ENROLL_TIMEOUT_MS,
  });
  insist(peer.state === "active", `The peer "${PEER}" is ${peer.state} after its enrollment, and not active.`);
  insist(peer.grant_id === made.grant.id, "The peer names another grant than the one its invite was for.");
  return made.grant;
}

/** `mosaic task list --source all` at home. */
export async function listTasks(home: Gateway): Promise<ListBody> {
  const { body } = await home.call<ListBody>("GET", "/api/v1/tasks", { query: { source: "all", limit: 50 } });
  return body;
}

function expectRows({ rows }: ListBody, employee: Employee, source: string, titles: readonly string[]): void {
  const found = rows.filter((row) => row["_source"] === source).map((row) => textOf(row, "title"));
  const same = found.toSorted().join("\n") === titles.toSorted().join("\n");
  insist(
    same,
    `${source} gave ${employee}'s home ${found.length} tasks that are not the ${titles.length} it should give: ${found.join("; ")}.`,
  );
}

const homeTitles = (employee: Employee): string[] => homeData[employee].tasks.map(({ input }) => input["title"] ?? "");

/** Rows of both gateways: all of the employee's home's, and of work's just those that are theirs or their teams'. */
export function expectBlended(body: ListBody, employee: Employee): void {
  const faults = body.sources.flatMap(({ source, error }) => (error === undefined ? [] : [`${source}: ${error.code}`]));
  insist(!body.partial && faults.length === 0, `The blended list is partial: ${faults.join(", ")}.`);
  insist(body.sources.map(({ source }) => source).join() === `local,${WORK_SOURCE}`, "A source is missing.");
  expectRows(body, employee, "local", homeTitles(employee));
  expectRows(body, employee, WORK_SOURCE, tasksAtWork(employee));
}

/** The client certificate as work saw it on the wire, and as its grant has it. */
export interface CertificateSeen {
  readonly serial: string;
  readonly grant_id: string;
  readonly subject: string;
}

/** Work's own audit of the request must name the certificate that stands in the grant, and the grant's subject. */
export async function expectCertificate(work: Gateway, grantId: string): Promise<CertificateSeen> {
  const end = Date.now() + PATIENCE_MS;
  const query = { grant: grantId, side: "serving", outcome: "ok", limit: 50 };
  const list = async () => {
    const { body } = await work.call<{ rows: readonly AuditEntry[] }>("GET", AUDIT_PATH, { query });
    return body.rows.find(({ verb, resource }) => verb === "list" && resource === "tasks");
  };
  let seen = await list();
  // The audit is written off the request's path: an entry can be seen within a second.
  for (; seen === undefined && Date.now() < end; seen = await list()) await pause(100);
  insist(seen !== undefined, "Work's audit has no answered request of a peer.");
  const { body: grant } = await work.call<Grant>("GET", `/api/v1/federation/grants/${grantId}`);
  const { serial, grant_id: askedAs, subject_user_id: subject } = seen;
  insist(serial !== null, "Work's audit names no client certificate.");
  insist(
    grant.certificates.some((each) => each.serial === serial),
    "The certificate that came is not the grant's.",
  );
  insist(askedAs === grant.id && subject === grant.subject.id, "The request came as another grant or subject.");
  return { serial, grant_id: grant.id, subject: grant.subject.name ?? grant.subject.id };
}

/** Each as themselves, and no certificate twice. */
export function expectOwnCertificates(
  seen: readonly { readonly employee: Employee; readonly certificate: CertificateSeen }[],
): void {
  for (const { employee, certificate } of seen) {
    insist(certificate.subject === employee, `${employee}'s home came to work as ${certificate.subject}.`);
  }
  const serials = new Set(seen.map(({ certificate }) => certificate.serial));
  insist(serials.size === seen.length, "Two homes came to work with the same client certificate.");
}

/** Asks for what the grant leaves out. The answer has no row, and one source that was denied. */
export async function expectDenied(home: Gateway): Promise<SourceReport> {
  const { body } = await home.call<ListBody>("GET", `/api/v1/${DENIED_RESOURCE}`, { query: { source: WORK_SOURCE } });
  const [report] = body.sources;
  insist(
    body.rows.length === 0 && report?.status === "denied" && report.error?.code === "resource_not_in_scope",
    `Work answered a list of ${DENIED_RESOURCE} with ${report?.status ?? "nothing"}, and not with a denial.`,
  );
  return report;
}

/** With work stopped: the home gateway's rows, `partial`, and one source that says it is offline. */
export function expectOffline(body: ListBody, employee: Employee): void {
  const own = homeTitles(employee);
  expectRows(body, employee, "local", own);
  insist(body.partial && body.rows.length === own.length, "The answer without work is not marked partial.");
  const offline = body.sources.filter(({ status }) => status === "offline").map(({ source }) => source);
  const others = body.sources.filter(({ status }) => status !== "offline" && status !== "ok");
  insist(offline.join() === WORK_SOURCE && others.length === 0, "There is not exactly one offline signal.");
}

/** Lists until work takes part again. */
export async function listTasksOnceBack(home: Gateway, employee: Employee): Promise<ListBody> {
  const end = Date.now() + PATIENCE_MS;
  let body = await listTasks(home);
  while (body.partial && Date.now() < end) {
    await pause(200);
    body = await listTasks(home);
  }
  expectBlended(body, employee);
  return body;
}
