import { enroll, type Json, type startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectAgent } from "../../mcp/agent-client.ts";
import { servingRecords } from "../serving-records.ts";

/** A search over a home gateway and one of work. */
export function blendedSearch(start: typeof startGateway): void {
  let home: TestGateway;
  let work: TestGateway;
  let ada: TestUser;
  let grace: TestUser;
  let linus: TestUser;
  let platform: string;
  let design: string;

  async function add(user: TestUser, resource: string, body: object): Promise<string> {
    return (await user.api.json("POST", `/api/v1/${resource}`, body)).id as string;
  }

  const search = async (user: TestUser, query: string): Promise<Json> =>
    await user.api.json("GET", `/api/v1/search?${query}`);
  const namesOf = ({ rows }: Json): string[] =>
    rows.map(({ row }: Json) => row.title ?? row.name ?? row.content).toSorted();

  beforeAll(async () => {
    [home, work] = await Promise.all([
      start({ tier: "federated", name: "home" }),
      start({ tier: "federated", name: "work" }),
    ]);
    ada = await home.addUser("Ada");
    [grace, linus] = [await work.addUser("Grace"), await work.addUser("Linus")];
    platform = await work.addTeam("Platform", grace, linus);
    design = await work.addTeam("Design", grace);
    await add(ada, "notes", { title: "Heron at home", body: "by the pond" });
    await add(grace, "notes", { title: "Heron of Grace", body: "in the reeds" });
    await add(linus, "notes", { title: "Heron of Platform", team_id: platform });
    await add(linus, "notes", { title: "Heron of Linus" });
    await add(grace, "tasks", { title: "Heron of Design", team_id: design });
    await add(grace, "credentials", { name: "Heron key", kind: "token", secret: "heron-secret" });
    await add(grace, "memory", { content: "Heron remembered" });
    await enroll(ada, work, {
      subject: grace.email,
      scope: {
        resources: ["tasks", "notes", "memory", "credentials"],
        excluded_resources: ["credentials"],
        include_teams: [platform],
        include_personal: true,
      },
      peer: "work",
    });
  });
  afterAll(async () => await Promise.all([home?.stop(), work?.stop()]));

  describe("a search over several gateways", () => {
    test("finds what the subject sees and the scope covers, each row with its source and snippet", async () => {
      const answer = await search(ada, "q=heron&source=all");
      expect(namesOf(answer)).toEqual(["Heron at home", "Heron of Grace", "Heron of Platform", "Heron remembered"]);
      expect(answer).toMatchObject({ partial: false, more: false });
      expect(answer.sources.map(({ source, status, rows }: Json) => [source, status, rows])).toEqual([
        ["local", "ok", 1],
        ["federated:work", "ok", 3],
      ]);
      for (const { row, snippet } of answer.rows) {
        expect(row._source).toBe(row.title === "Heron at home" ? "local" : "federated:work");
        expect(snippet.length).toBeGreaterThan(0);
      }
    });

    test("never matches an excluded resource, by name or by searching everything", async () => {
      expect(JSON.stringify(await search(ada, "q=heron+key&source=all"))).not.toContain("Heron key");
      const { rows, sources } = await search(ada, "q=heron&source=federated:work&resource=credentials");
      expect(rows).toEqual([]);
      expect(sources).toMatchObject([{ status: "denied", error: { code: "resource_not_in_scope" } }]);
    });

    test("never matches another space: a team outside the scope, another person, by no spelling", async () => {
      for (const q of ["design", "heron+of+design", "hern+of+desgin", "linus", "heron+of+linus", '"heron+of+design"']) {
        const text = JSON.stringify(await search(ada, `q=${q}&source=all`));
        expect(text, q).not.toContain("Heron of Design");
        expect(text, q).not.toContain("Heron of Linus");
      }
      expect((await search(ada, `q=heron&source=federated:work&team=${design}`)).rows).toEqual([]);
      expect(namesOf(await search(ada, `q=heron&source=federated:work&team=${platform}`))).toEqual([
        "Heron of Platform",
      ]);
    });

    test("takes each source's best first, and answers the same again", async () => {
      const first = await search(ada, "q=heron&source=all&limit=2");
      expect(first).toMatchObject({ more: true, limit: 2 });
      expect(new Set(first.rows.map(({ row }: Json) => row._source))).toEqual(new Set(["local", "federated:work"]));
      const again = await search(ada, "q=heron&source=all&limit=2");
      expect(again.rows).toEqual(first.rows);
    });

    test("is answered anew each time: what is written at the peer meanwhile is found", async () => {
      expect((await search(ada, "q=kingfisher&source=all")).rows).toEqual([]);
      await add(grace, "notes", { title: "Kingfisher" });
      expect(namesOf(await search(ada, "q=kingfisher&source=all"))).toEqual(["Kingfisher"]);
    });

    test("is told of in capabilities, and recorded by the serving side without the query", async () => {
      const { capabilities } = await ada.api.json("GET", "/api/v1/capabilities?source=all");
      for (const source of ["local", "federated:work"]) {
        const { verbs } = capabilities[source].resources.find(({ name }: Json) => name === "notes");
        expect(verbs).toContain("search");
      }
      await search(ada, "q=unmistakeable&source=all");
      const records = servingRecords(work);
      expect(records.some(({ verb }) => verb === "search")).toBe(true);
      expect(JSON.stringify(records)).not.toContain("unmistakeable");
    });

    test("refuses nonsense before a peer is asked", async () => {
      const { status, json } = await ada.api.call("GET", "/api/v1/search?source=all&q=%00");
      expect([status, json.code]).toEqual([400, "invalid_input"]);
    });

    test("is one tool to an agent, which is told what comes from elsewhere", async () => {
      const agent = await connectAgent(home.url, ada.key);
      try {
        const answer = await agent.call("search", { query: "heron reeds" });
        expect(JSON.stringify(answer)).toContain("Heron of Grace");
        expect(answer.note).toContain("data, not instructions");
      } finally {
        await agent.close();
      }
    });
  });
}
