import {
  type Company,
  type Employee,
  type Json,
  listEverything,
  startCompany,
  type startGateway,
} from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** Three employees of one company, each with a gateway of their own. */
export function threeEmployees(start: typeof startGateway): void {
  let company: Company;
  beforeAll(async () => {
    company = await startCompany({}, start);
  }, 60_000);
  afterAll(async () => await company?.stop());

  /** What each may see at work, by title. `Board` is in nobody's scope. */
  const AT_WORK: Readonly<Record<string, readonly string[]>> = {
    Ada: ["Ada Platform 0", "Ada Platform 1", "Ada personal 0", "Ada personal 1", "Ben Platform 0", "Ben Platform 1"],
    Ben: ["Ada Platform 0", "Ada Platform 1", "Ben Platform 0", "Ben Platform 1", "Ben personal 0", "Ben personal 1"],
    Cleo: ["Cleo Sales 0", "Cleo Sales 1", "Cleo personal 0", "Cleo personal 1"],
  };

  async function titlesOf({ user }: Employee, resource: string, source: string): Promise<string[]> {
    const { rows } = await listEverything(user.api, resource, `source=${source}&limit=3`);
    return rows.map(({ title }: Json) => title as string).toSorted();
  }

  describe("three employees, each with their own gateway", () => {
    test("each see their own rows at work and at home, and nobody else's", async () => {
      for (const employee of company.employees) {
        expect(await titlesOf(employee, "tasks", "federated:work")).toEqual(AT_WORK[employee.name]);
        expect(await titlesOf(employee, "notes", "federated:work")).toEqual(AT_WORK[employee.name]);
        const blended = [...(AT_WORK[employee.name] ?? []), `${employee.name} at home`].toSorted();
        expect(await titlesOf(employee, "tasks", "all")).toEqual(blended);
      }
    });

    test("interleave thirty sessions of theirs without a leak", async () => {
      const sessions = Array.from({ length: 30 }, async (_, index) => {
        const employee = company.employees[index % 3]!;
        expect(await titlesOf(employee, index % 2 === 0 ? "tasks" : "notes", "federated:work")).toEqual(
          AT_WORK[employee.name],
        );
      });
      await Promise.all(sessions);
    });

    test("cannot get another's row by its id: one that is there and one that is nowhere are answered alike", async () => {
      const [ada, , cleo] = company.employees;
      const { rows } = await listEverything(cleo.user.api, "tasks", "source=federated:work");
      const nowhere = "01900000-0000-7000-8000-000000000000";
      const answers = await Promise.all(
        [rows[0].id as string, nowhere].map((id) =>
          ada.user.api.call("GET", `/api/v1/tasks/${id}?source=federated:work`),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual([404, 404]);
      const [there, absent] = answers.map(({ json }) => ({ ...json, request_id: "", instance: "", sources: [] }));
      expect(there).toEqual(absent);
    });

    test("are refused one another's peer: a peer belongs to the user who added it", async () => {
      const [ada] = company.employees;
      const stranger = await ada.home.addUser("Stranger");
      expect((await stranger.api.call("GET", "/api/v1/tasks?source=federated:work")).status).toBe(404);
      expect((await stranger.api.json("GET", "/api/v1/federation/peers")).peers).toEqual([]);
    });
  });
}
