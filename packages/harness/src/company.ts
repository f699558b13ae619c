import { enroll } from "./enroll.ts";
import { type GatewayOptions, startGateway, type TestGateway, type TestUser } from "./gateway.ts";
import type { Json } from "./rest-client.ts";

/** One who works at a company and has a gateway at home, which reads from the company's as them. */
export interface Employee {
  readonly name: string;
  /** At work. */
  readonly colleague: TestUser;
  readonly home: TestGateway;
  /** At home, where the company is the peer `work`. */
  readonly user: TestUser;
  /** As the company's administrator made it. */
  readonly grant: Json;
}

/** A company's gateway, and its employees' own. */
export interface Company {
  readonly work: TestGateway;
  readonly employees: readonly [Employee, Employee, Employee];
  /** Ids: `Platform` is Ada's and Ben's, `Sales` is Cleo's, and nobody's home may read `Board`, which is Ada's. */
  readonly teams: Readonly<Record<"Platform" | "Sales" | "Board", string>>;
  stop(): Promise<void>;
}

/** Of each of a person's places at work; a title says whose it is: `Ada personal 0`, `Ada Platform 1`. */
const ROWS_EACH = 2;
/** Who works at the company. */
export const EMPLOYEE_NAMES = ["Ada", "Ben", "Cleo"] as const;

/**
 * Three employees of one company, each with personal and team tasks and notes at work and a task at home, and a grant for
 * their own rows there. Boots four gateways: about 4 s.
 * @param options of the company's gateway
 * @param startOne how each of the gateways is started. Default: on an embedded database
 */
export async function startCompany(
  options: Partial<GatewayOptions> = {},
  startOne: typeof startGateway = startGateway,
): Promise<Company> {
  const gateways: TestGateway[] = [];
  const start = async (wanted: GatewayOptions): Promise<TestGateway> => {
    const gateway = await startOne(wanted);
    gateways.push(gateway);
    return gateway;
  };
  const stop = async (): Promise<void> => void (await Promise.all(gateways.map((gateway) => gateway.stop())));
  try {
    const work = await start({ tier: "federated", name: "company", ...options });
    const [ada, ben, cleo] = await Promise.all(EMPLOYEE_NAMES.map((name) => work.addUser(name)));
    if (ada === undefined || ben === undefined || cleo === undefined) throw new Error("a company of three");
    const teams = {
      Platform: await work.addTeam("Platform", ada, ben),
      Sales: await work.addTeam("Sales", cleo),
      Board: await work.addTeam("Board", ada),
    };
    const employ = async (colleague: TestUser, team: "Platform" | "Sales"): Promise<Employee> => {
      const { name } = colleague;
      const places: [string, string | null][] = [
        ["personal", null],
        [team, teams[team]],
      ];
      if (colleague === ada) places.push(["Board", teams.Board]);
      for (const [place, teamId] of places) {
        for (let index = 0; index < ROWS_EACH; index++) {
          const row = { title: `${name} ${place} ${index}`, team_id: teamId };
          await colleague.api.json("POST", "/api/v1/tasks", row);
          await colleague.api.json("POST", "/api/v1/notes", { ...row, body: `What ${name} wrote.` });
        }
      }
      const home = await start({ tier: "federated", name: `home-of-${name.toLowerCase()}` });
      const user = await home.addUser(name);
      await user.api.json("POST", "/api/v1/tasks", { title: `${name} at home` });
      const scope = { resources: ["tasks", "notes"], include_personal: true, include_teams: [teams[team]] };
      const { grant } = await enroll(user, work, { subject: colleague.id, scope, peer: "work" });
      return { name, colleague, home, user, grant };
    };
    const employees = [
      await employ(ada, "Platform"),
      await employ(ben, "Platform"),
      await employ(cleo, "Sales"),
    ] as const;
    return { work, employees: [...employees], teams, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
