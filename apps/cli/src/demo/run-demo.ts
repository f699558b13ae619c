import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SourceReport } from "@mosaicstack/federation-protocol";
import type { Host } from "../host.ts";
import { draftOf } from "../init-plan.ts";
import { cliProblem } from "../problems.ts";
import { writeProfiles } from "../profiles.ts";
import type { ListBody, Row } from "../rows.ts";
import { type EmployeeAnswer, eachTheirOwn, type EmployeeHome } from "./each-their-own.ts";
import { choosePorts } from "./free-ports.ts";
import { type Admin, claimGateway, furnish } from "./furnish.ts";
import { type CommandLine, type GatewayProcess, startGatewayProcess } from "./gateway-process.ts";
import type { Narration } from "./narration.ts";
import * as proof from "./proof.ts";
import { type Employee, homeData, tasksAtWork, workData } from "./sample-data.ts";

/** What the demo needs to run. */
export interface DemoOptions {
  readonly host: Host;
  readonly narration: Narration;
  readonly command: CommandLine;
  /** Where everything goes that the demo writes. */
  readonly folder: string;
  /** Every gateway that was started is put here, for the caller to stop. */
  readonly running: Set<GatewayProcess>;
}

/** What the demo saw, as --json prints it. Every member was checked; a demo that sees something else fails. */
export interface DemoProof {
  readonly gateways: { readonly home: GatewayAddresses; readonly work: GatewayAddresses };
  readonly certificate: proof.CertificateSeen;
  readonly blended: ListProof;
  /** Ada's home and her colleagues', asked at the same time. */
  readonly employees: readonly EmployeeProof[];
  readonly denied: { readonly resource: string; readonly source: SourceReport };
  readonly offline: ListProof;
}

export interface GatewayAddresses {
  readonly url: string;
  readonly peers_url: string;
}

interface ListProof {
  readonly partial: boolean;
  readonly sources: readonly SourceReport[];
  readonly rows: readonly Row[];
}

interface EmployeeProof {
  readonly name: Employee;
  readonly certificate: proof.CertificateSeen;
  readonly blended: ListProof;
}

/** The demo after its proof: what is needed to go on with it. */
export interface ProvenDemo {
  readonly proof: DemoProof;
  readonly home: Admin;
  readonly work: Admin;
  /** Starts work again and lists once more. */
  restartWork(): Promise<void>;
}

/** Ports of `mosaic start`, and ten above them for the second gateway. */
const PORTS = [14_242, 14_443, 14_252, 14_453] as const;
/** Whose home gateways run for one step alone, and their ports. */
const COLLEAGUES = [
  { employee: "Grace", ports: [14_262, 14_463] },
  { employee: "Linus", ports: [14_272, 14_473] },
] as const;
/** A machine that is busy with fresh gateways may be slow, and slow is not what the demo is about. */
const DEADLINE_MS = 10_000;

/** Waits for work that hears of no signal itself. @throws Problem `interrupted` */
async function until<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return await new Promise<Result>((resolve, reject) => {
    const stop = (): void =>
      reject(cliProblem("interrupted", { detail: "Stopped before the end.", remedy: "Nothing is left behind." }));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/**
 * Two gateways, an enrollment, a blended list, two more homes that ask the same, a denial, an outage. The caller stops
 * what is in `running`.
 * @throws Problem `demo_gateway_failed`, `demo_not_as_expected`, `interrupted`
 */
export async function runDemo({ host, narration, command, folder, running }: DemoOptions): Promise<ProvenDemo> {
  const { signal, clock } = host;

  async function start(name: string): Promise<{ readonly process: GatewayProcess; readonly code: string | undefined }> {
    const process = startGatewayProcess({
      name,
      folder: join(folder, name),
      command,
      variables: host.environment.variables,
    });
    running.add(process);
    return { process, code: await until(process.ready, signal) };
  }

  async function stop(process: GatewayProcess): Promise<void> {
    await process.stop();
    running.delete(process);
  }

  /** Their gateways, and how these are stopped again. */
  async function startColleagues(): Promise<{ readonly homes: EmployeeHome[]; readonly stop: () => Promise<unknown> }> {
    const free = await choosePorts(COLLEAGUES.flatMap(({ ports }) => ports));
    const prepared = await Promise.all(
      COLLEAGUES.map(async ({ employee }, index) => {
        const name = `home-of-${employee.toLowerCase()}`;
        return { employee, name, addresses: await prepare(join(folder, name), free.slice(2 * index, 2 * index + 2)) };
      }),
    );
    const started = await Promise.all(prepared.map(async (each) => ({ ...each, ...(await start(each.name)) })));
    const homes = await Promise.all(
      started.map(async ({ employee, addresses, code }) => {
        const person = { name: employee, email: `${employee.toLowerCase()}@home.example` };
        const { gateway } = await claimGateway(addresses.url, code, person, signal);
        await furnish(gateway, homeData[employee], clock);
        return { employee, gateway };
      }),
    );
    return { homes, stop: async () => await Promise.all(started.map(async ({ process }) => await stop(process))) };
  }

  const ports = await choosePorts(PORTS);
  const homeAddresses = await prepare(join(folder, "home"), ports.slice(0, 2));
  const workAddresses = await prepare(join(folder, "work"), ports.slice(2));
  narration.progress("starting two gateways: making databases, keys and certificates");
  const [homeStarted, workStarted] = await Promise.all([start("home"), start("work")]);

  narration.progress("becoming their admins, with the codes they printed, and bringing in a few rows");
  const [home, work] = await Promise.all([
    claimGateway(homeAddresses.url, homeStarted.code, { name: "Ada", email: "ada@home.example" }, signal),
    claimGateway(workAddresses.url, workStarted.code, { name: "Grace", email: "grace@work.example" }, signal),
  ]);
  await Promise.all([furnish(home.gateway, homeData.Ada, clock), furnish(work.gateway, workData, clock)]);
  await writeProfiles(join(folder, "cli", "mosaic"), {
    current: "demo-home",
    profiles: [
      { name: "demo-home", url: homeAddresses.url, apiKey: home.apiKey },
      { name: "demo-work", url: workAddresses.url, apiKey: work.apiKey },
    ],
  });
  narration.step("Two gateways are up. Each has its own data, its own users and its own certificate authority.");
  narration.say(
    `home  ${homeAddresses.url}  Ada's own: ${homeData.Ada.tasks.length} tasks, ${homeData.Ada.notes.length} notes`,
  );
  narration.say(
    `work  ${workAddresses.url}  her company's: ${workData.people.length} people, 2 teams, ` +
      `${workData.tasks.length} tasks, ${workData.notes.length} notes`,
  );

  narration.step("Grace, admin at work, lets Ada's home gateway read as Ada: tasks and notes. Ada accepts.");
  narration.command("work", proof.grantCommand("Ada"));
  narration.command("home", `mosaic federation peer add '${workAddresses.url}/enroll#…' --name work`);
  const grant = await proof.enroll(home.gateway, work.gateway, "Ada");
  narration.say("Home made a key, work signed a certificate for it. The key never left home, the invite is used up.");

  narration.step("One question, two gateways: home reads its own rows, and work's live over mutual TLS.");
  narration.command("home", "mosaic task list --source all");
  const blended = await proof.listTasks(home.gateway);
  narration.tasks(blended);
  proof.expectBlended(blended, "Ada");
  const certificate = await proof.expectCertificate(work.gateway, grant.id);
  narration.say(
    `work saw client certificate ${certificate.serial}, grant ${certificate.grant_id}, subject ${certificate.subject}`,
  );
  narration.say(
    `Of work's ${workData.tasks.length} tasks Ada gets ${tasksAtWork("Ada").length}: her own and her team's. ` +
      "What is Grace's, Linus's or another team's stays at work.",
  );

  narration.progress("starting two more home gateways, those of Grace and Linus");
  const colleagues = await startColleagues();
  narration.step("Grace and Linus have gateways at home too. Each asks the same, and is given only what is theirs.");
  const ada = { employee: "Ada", gateway: home.gateway, grantId: grant.id } as const;
  const employees = await eachTheirOwn(work.gateway, ada, colleagues.homes, narration);
  await colleagues.stop();

  narration.step(`What the grant leaves out is refused: ${proof.DENIED_RESOURCE}, in this case.`);
  narration.command("home", `mosaic ${proof.DENIED_RESOURCE} list --source ${proof.WORK_SOURCE}`);
  const denied = await proof.expectDenied(home.gateway);
  narration.say(`${denied.source} ${denied.status}: ${denied.error?.detail ?? ""} (${denied.error?.code ?? ""})`);

  narration.progress("stopping work");
  await stop(workStarted.process);
  narration.step("Work is stopped. The same question still has an answer, and it says what is missing, once.");
  narration.command("home", "mosaic task list --source all");
  const offline = await proof.listTasks(home.gateway);
  narration.tasks(offline);
  proof.expectOffline(offline, "Ada");

  return {
    proof: {
      gateways: { home: homeAddresses, work: workAddresses },
      certificate,
      blended: listProof(blended),
      employees: employees.map(employeeProof),
      denied: { resource: proof.DENIED_RESOURCE, source: denied },
      offline: listProof(offline),
    },
    home,
    work,
    async restartWork() {
      narration.progress("starting work again");
      await start("work");
      const { sources } = await proof.listTasksOnceBack(home.gateway, "Ada");
      narration.step("Work is back, and so are its rows. Nobody had to do anything at home.");
      narration.say(sources.map(({ source, status, rows }) => `${source} ${status}, ${rows} rows`).join(" · "));
    },
  };
}

function listProof({ partial, sources, rows }: ListBody): ListProof {
  return { partial, sources, rows };
}

function employeeProof({ employee, certificate, body }: EmployeeAnswer): EmployeeProof {
  return { name: employee, certificate, blended: listProof(body) };
}

/** A gateway's folder with its configuration file, as `mosaic init --plan federated-embedded` writes it. */
async function prepare(folder: string, [port = 0, federationPort = 0]: readonly number[]): Promise<GatewayAddresses> {
  const draft = draftOf({ plan: "federated-embedded", dataDirectory: "data", port, federationPort });
  const config = { ...draft, federation: { ...draft.federation, deadlineMs: DEADLINE_MS } };
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, "mosaic.config.json"), `${JSON.stringify(config, null, 2)}\n`);
  return { url: `http://127.0.0.1:${port}`, peers_url: `https://127.0.0.1:${federationPort}` };
}
