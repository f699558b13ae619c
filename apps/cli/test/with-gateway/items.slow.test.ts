import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RealGateway, startGateway } from "../real-gateway.ts";
import { temporaryFolder } from "../run-here.ts";

let gateway: RealGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => await gateway.stop());

describe("task", () => {
  test("from add to rm", async () => {
    const { mosaic, data } = gateway;
    const added = await mosaic([
      "task",
      "add",
      "Buy milk",
      "--due",
      "2026-12-3",
      "--key",
      "K1",
      "--property",
      "aisle=7",
      "--description",
      "two **litres**",
    ]);
    expect(added).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^[0-9a-f-]{36}\n$/u),
      err: expect.stringContaining("mosaic task get"),
    });
    const id = added.out.trim();

    expect((await mosaic(["task", "list"])).out).toMatch(new RegExp(`^ID .*\\n${id} +open +Buy milk +2026-12-03`, "u"));
    expect(await data(["task", "get", "K1"])).toMatchObject({
      row: { id, title: "Buy milk", due_at: "2026-12-03T00:00:00.000Z", properties: { aisle: 7 } },
    });
    expect((await mosaic(["task", "get", id])).out).toMatch(/title +Buy milk\n[\s\S]*\n\ntwo \*\*litres\*\*\n$/u);
    expect((await mosaic(["task", "get", id, "--description"])).out).toBe("two **litres**");

    expect(
      await data(["task", "edit", id, "--status", "in_progress", "--due", "none", "--title", "Buy oat milk"]),
    ).toMatchObject({ status: "in_progress", due_at: null, title: "Buy oat milk" });
    expect(await mosaic(["task", "done", "K1"])).toMatchObject({
      status: 0,
      out: `${id}  Buy oat milk\n`,
      err: "Done.\n",
    });
    expect(await mosaic(["task", "list", "--status", "open", "--key", "K1"])).toMatchObject({
      status: 0,
      out: "",
      err: "No tasks.\n",
    });

    expect(await mosaic(["task", "rm", "K1"])).toMatchObject({ status: 2, err: expect.stringContaining("--yes") });
    expect(await mosaic(["task", "rm", "K1", "--dry-run"])).toMatchObject({
      status: 0,
      err: expect.stringContaining("Nothing was deleted"),
    });
    expect(await mosaic(["task", "rm", "K1", "--yes"])).toMatchObject({ status: 0, out: `${id}  Buy oat milk\n` });
    expect(await mosaic(["task", "get", id])).toMatchObject({ status: 5, err: expect.stringContaining("(not_found") });
    expect(await mosaic(["task", "get", "K1"])).toMatchObject({
      status: 5,
      err: expect.stringContaining("(row_unknown"),
    });
  });

  test("the description may come from a pipe", async () => {
    const { out } = await gateway.mosaic(["task", "add", "Piped", "--description-file", "-"], {
      input: "# żółw\n\ttab\n",
    });
    expect((await gateway.mosaic(["task", "get", out.trim(), "--description"])).out).toBe("# żółw\n\ttab\n");
  });

  test("a taken key is a conflict", async () => {
    await gateway.mosaic(["task", "add", "one", "--key", "taken"]);
    expect(await gateway.mosaic(["task", "add", "two", "--key", "taken"])).toMatchObject({
      status: 6,
      err: expect.stringContaining("(key_taken"),
    });
  });

  test("a value that is not allowed is a mistake of usage, with the gateway's own words", async () => {
    const { status, err } = await gateway.mosaic(["task", "add", "   ", "--json"]);
    expect(status).toBe(2);
    expect(JSON.parse(err)).toMatchObject({
      error: { code: "invalid_input", path: "title", request_id: expect.any(String), exit_status: 2 },
    });
  });

  test("paging with cursors, and with --all, gives every row once", async () => {
    for (let number = 0; number < 7; number += 1) await gateway.mosaic(["task", "add", `page ${number}`]);
    const all = (await gateway.mosaic(["task", "list", "--all", "--limit", "3", "--json"])).out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { row?: { id: string }; end?: object });
    const ids = all.flatMap(({ row }) => (row === undefined ? [] : [row.id]));
    expect(all.at(-1)).toMatchObject({ end: { rows: ids.length, partial: false } });
    expect(ids.length).toBeGreaterThanOrEqual(7);
    expect(ids).toEqual([...new Set(ids)].toSorted().toReversed());

    const paged: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { rows: { id: string }[]; next_cursor: string | null } = await gateway.data([
        "task",
        "list",
        "--limit",
        "3",
        ...(cursor === null ? [] : ["--cursor", cursor]),
      ]);
      paged.push(...page.rows.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    expect(paged).toEqual(ids);
  });

  test("a cursor that is none is a mistake of usage", async () => {
    expect(await gateway.mosaic(["task", "list", "--cursor", "nonsense"])).toMatchObject({
      status: 2,
      err: expect.stringContaining("(cursor_invalid"),
    });
  });

  test("a source that is not there is not found", async () => {
    expect(await gateway.mosaic(["task", "list", "--source", "federated:nowhere"])).toMatchObject({
      status: 5,
      err: expect.stringContaining("(unknown_source"),
    });
  });

  test("a refused key is denied", async () => {
    expect(await gateway.mosaic(["task", "list"], { key: "mosaic_wrong" })).toMatchObject({
      status: 4,
      err: expect.stringContaining("(credential_refused"),
    });
  });
});

describe("team", () => {
  test("is made, filled, used by name, and taken apart", async () => {
    const { mosaic, data } = gateway;
    const { out } = await mosaic(["team", "add", "Platform"]);
    const id = out.trim();
    expect(await mosaic(["user", "add", "Grace", "--email", "grace@example.org"])).toMatchObject({
      status: 0,
      err: expect.stringContaining("without a password"),
    });
    expect(await mosaic(["team", "member", "add", "Platform", "grace@example.org"])).toMatchObject({
      status: 0,
      out: "member  Grace <grace@example.org>\n",
    });
    expect(await mosaic(["team", "member", "add", "Platform", "Grace", "--role", "owner"])).toMatchObject({
      status: 0,
      out: "owner  Grace <grace@example.org>\n",
    });
    expect(await data<{ rows: object[] }>(["team", "member", "list", "Platform"])).toMatchObject({
      rows: [{ name: "Ada" }, { name: "Grace", role: "owner" }],
    });
    expect((await mosaic(["team", "get", id])).out).toContain("grace@example.org");

    await mosaic(["task", "add", "Team task", "--team", "Platform"]);
    await mosaic(["task", "add", "My task"]);
    const titles = async (words: string[]) =>
      (await data<{ rows: { title: string }[] }>(["task", "list", ...words])).rows.map(({ title }) => title);
    expect(await titles(["--team", "Platform"])).toEqual(["Team task"]);
    expect(await titles(["--team", "personal"])).not.toContain("Team task");
    expect(await mosaic(["task", "list", "--team", "Nobody"])).toMatchObject({
      status: 5,
      err: expect.stringContaining("(team_unknown"),
    });

    expect(await mosaic(["team", "edit", "Platform", "--name", "Platform team"])).toMatchObject({ status: 0 });
    expect(await mosaic(["team", "rm", "Platform team", "--yes"])).toMatchObject({
      status: 6,
      err: expect.stringContaining("(team_not_empty"),
    });
    expect(await mosaic(["team", "member", "rm", "Platform team", "grace@example.org", "--yes"])).toMatchObject({
      status: 0,
    });
    expect(await mosaic(["team", "member", "rm", "Platform team", "grace@example.org", "--yes"])).toMatchObject({
      status: 5,
    });
  });
});

describe("note, memory", () => {
  test("a note's text comes and goes to the byte", async () => {
    const directory = await temporaryFolder();
    const text = "# Ż\r\n\u001b[31mnot a colour\n\ttab, no end";
    await writeFile(join(directory, "note.md"), text);
    const { out } = await gateway.mosaic(["note", "add", "Trip", "--body-file", "note.md", "--key", "trip.md"], {
      directory,
    });
    expect((await gateway.mosaic(["note", "get", "trip.md", "--body"])).out).toBe(text);
    expect(await gateway.data(["note", "edit", out.trim(), "--body", "new"])).toMatchObject({
      title: "Trip",
      body: "new",
    });
    expect((await gateway.mosaic(["note", "list"])).out).toContain("Trip");
    expect(await gateway.mosaic(["note", "rm", "trip.md", "--yes"])).toMatchObject({ status: 0 });
  });

  test("a memory is added, listed, changed and removed", async () => {
    const { out } = await gateway.mosaic(["memory", "add", "Ada prefers tea", "--key", "tea"]);
    expect((await gateway.mosaic(["memory", "list"])).out).toContain("Ada prefers tea");
    await gateway.mosaic(["memory", "edit", "tea", "--content", "coffee"]);
    expect((await gateway.mosaic(["memory", "get", out.trim(), "--content"])).out).toBe("coffee");
    expect(await gateway.mosaic(["memory", "rm", "tea", "--yes"])).toMatchObject({ status: 0 });
    expect(await gateway.mosaic(["memory", "add"])).toMatchObject({ status: 2 });
  });
});

describe("credential", () => {
  test("its secret comes in by a pipe, shows nowhere, and comes out by reveal alone", async () => {
    const secret = "hunter2 ż";
    const added = await gateway.mosaic(
      ["credential", "add", "github", "--kind", "token", "--key", "gh", "--secret-file", "-"],
      { input: `${secret}\n` },
    );
    expect(added.status).toBe(0);
    for (const words of [
      ["credential", "list"],
      ["credential", "get", "gh"],
      ["credential", "list", "--json"],
      ["credential", "get", "gh", "--json"],
    ]) {
      const { status, out, err } = await gateway.mosaic(words);
      expect(status).toBe(0);
      expect(`${out}${err}`).not.toContain("hunter2");
    }
    expect(await gateway.mosaic(["credential", "reveal", "gh"])).toMatchObject({ status: 0, out: secret, err: "" });
    expect(await gateway.data(["credential", "reveal", added.out.trim()])).toEqual({ secret });
    expect(await gateway.mosaic(["credential", "rm", "gh", "--yes"])).toMatchObject({ status: 0 });
  });
});

describe("user, api-key", () => {
  test("a user is added, found by name or address, changed and removed", async () => {
    const { mosaic, data } = gateway;
    await mosaic(["user", "add", "Bob", "--email", "bob@example.org", "--password-file", "-"], {
      input: "a password for Bob",
    });
    expect(await data(["user", "get", "bob@example.org"])).toMatchObject({ name: "Bob", role: "user" });
    expect(await data(["user", "edit", "Bob", "--role", "admin", "--name", "Robert"])).toMatchObject({
      name: "Robert",
      role: "admin",
    });
    expect((await mosaic(["user", "list"])).out).toContain("bob@example.org");
    expect((await mosaic(["user", "list", "--all", "--json"])).out).toMatch(/"end":\{"rows":\d+/u);
    expect(await mosaic(["user", "rm", "Robert", "--dry-run"])).toMatchObject({ status: 0 });
    expect(await mosaic(["user", "rm", "Robert", "--yes"])).toMatchObject({ status: 0 });
    expect(await mosaic(["user", "get", "Robert"])).toMatchObject({
      status: 5,
      err: expect.stringContaining("(user_unknown"),
    });
    expect(await mosaic(["user", "rm", "ada@example.org", "--yes"])).toMatchObject({
      status: 6,
      err: expect.stringContaining("(last_admin"),
    });
  });

  test("two users of one name have to be told apart", async () => {
    await gateway.mosaic(["user", "add", "Twin", "--email", "one@example.org"]);
    await gateway.mosaic(["user", "add", "Twin", "--email", "two@example.org"]);
    expect(await gateway.mosaic(["user", "get", "Twin"])).toMatchObject({
      status: 6,
      err: expect.stringContaining("one@example.org"),
    });
  });

  test("an API key works until it is withdrawn", async () => {
    const { out, status } = await gateway.mosaic(["api-key", "create", "agent", "--expires-in-days", "30"]);
    expect({ status, out }).toEqual({ status: 0, out: expect.stringMatching(/^mosaic_\w+$/u) });
    expect(await gateway.mosaic(["whoami"], { key: out })).toMatchObject({ status: 0 });
    expect((await gateway.mosaic(["api-key", "list"])).out).toMatch(/agent/u);
    expect(await gateway.mosaic(["api-key", "rm", "agent", "--yes"])).toMatchObject({ status: 0 });
    expect(await gateway.mosaic(["whoami"], { key: out })).toMatchObject({ status: 4 });
    expect(await gateway.mosaic(["api-key", "rm", "agent", "--yes"])).toMatchObject({ status: 5 });
  });
});

describe("gateway doctor", () => {
  test("is green on a gateway that is well", async () => {
    const { status, out } = await gateway.mosaic(["gateway", "doctor"]);
    expect(status).toBe(0);
    expect(out).toMatch(/^ok +sign-in +Ada <ada@example\.org>, admin$/mu);
    expect(out).toMatch(/^- +federation +this gateway's tier does not federate$/mu);
    expect(out).toMatch(/\ngreen\n$/u);
  });

  test("is red with a key that is refused, and says what to do", async () => {
    const { status, out } = await gateway.mosaic(["gateway", "doctor"], { key: "mosaic_wrong" });
    expect(status).toBe(4);
    expect(out).toMatch(/^FAULT +sign-in[\s\S]*mosaic login/mu);
  });
});
