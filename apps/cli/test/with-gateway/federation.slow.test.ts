import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RealGateway, startGateway } from "../real-gateway.ts";
import { temporaryFolder } from "../run-here.ts";

interface Issued {
  readonly grant: { readonly id: string; readonly status: string };
  readonly invite: string;
  readonly join_command: string;
}

describe("a gateway that does not federate", () => {
  test("says so, and how to have one that does", async () => {
    const gateway = await startGateway();
    try {
      for (const words of [
        ["federation", "status"],
        ["federation", "grant", "list"],
        ["federation", "peer", "list"],
      ]) {
        expect(await gateway.mosaic(words)).toMatchObject({
          status: 6,
          err: expect.stringContaining("(federation_off)"),
        });
      }
    } finally {
      await gateway.stop();
    }
  });
});

describe("two gateways", () => {
  let work: RealGateway;
  let home: RealGateway;
  beforeAll(async () => {
    [work, home] = await Promise.all([startGateway({ tier: "federated" }), startGateway({ tier: "federated" })]);
  });
  afterAll(async () => {
    await home.stop();
    await work.stop();
  });

  const create = ["federation", "grant", "create", "--subject", "ada@example.org"];

  test("a grant is made, its invite accepted, rows are read with their source, and it is revoked", async () => {
    await work.mosaic(["team", "add", "Platform"]);
    await work.mosaic(["task", "add", "At work", "--team", "Platform", "--key", "W-1"]);
    await work.mosaic(["note", "add", "Not shared"]);
    await home.mosaic(["task", "add", "At home"]);

    const made = await work.mosaic([
      ...create,
      "--name",
      "home",
      "--resources",
      "tasks,notes",
      "--exclude",
      "notes",
      "--teams",
      "Platform",
      "--max-rows",
      "50",
      "--expires",
      "90d",
    ]);
    expect(made.status).toBe(0);
    expect(made.out).toMatch(/^mosaic federation peer add 'http[^ ]+#token=[\w-]+&ca=[0-9a-f]+'\n$/u);
    expect(made.err).toContain("tasks: rows of one team, at most 50 a query");
    expect(await work.data(["federation", "grant", "show", "home"])).toMatchObject({
      status: "pending",
      scope: { include_personal: false, max_rows_per_query: 50 },
    });

    const invite = /'(.+)'/u.exec(made.out)?.[1] ?? "";
    const added = await home.mosaic(["federation", "peer", "add", "-", "--name", "work"], { input: `${invite}\n` });
    expect(added).toMatchObject({
      status: 0,
      err: expect.stringContaining("mosaic task list --source federated:work"),
    });
    // Running the line a second time goes on where it stopped, and ends where it ended.
    expect(await home.data(["federation", "peer", "add", invite, "--name", "again"])).toMatchObject({ name: "work" });
    // To anybody else it has been used.
    const stranger = await startGateway({ tier: "federated" });
    try {
      expect(await stranger.mosaic(["federation", "peer", "add", invite])).toMatchObject({
        status: 6,
        err: expect.stringContaining("(invite_used"),
      });
    } finally {
      await stranger.stop();
    }

    const blended = await home.mosaic(["task", "list", "--source", "all"]);
    expect(blended.status).toBe(0);
    expect(blended.out).toMatch(/^SOURCE +ID/u);
    expect(blended.out).toMatch(/^federated:work .*At work/mu);
    expect(blended.out).toMatch(/^local .*At home/mu);
    expect(await home.data(["task", "get", "W-1", "--source", "federated:work"])).toMatchObject({
      row: { title: "At work", _source: "federated:work" },
    });
    expect(await home.mosaic(["note", "list", "--source", "federated:work"])).toMatchObject({ status: 4, out: "" });

    expect((await home.mosaic(["federation", "peer", "list"])).out).toMatch(/^work +active +federated:work/mu);
    expect(await home.data(["federation", "peer", "show", "work"])).toMatchObject({ name: "work", state: "active" });
    expect(await home.data(["federation", "status"])).toMatchObject({
      endpoint: expect.stringMatching(/^https:/u),
      peers: [{ name: "work" }],
    });
    expect((await home.mosaic(["gateway", "doctor"])).out).toMatch(/^ok +peer work +answered in \d+ ms/mu);
    expect((await work.mosaic(["gateway", "doctor"])).out).toMatch(/^ok +grant home +active/mu);
    expect((await work.mosaic(["federation", "grant", "list"])).out).toMatch(/home +active +Ada/u);

    expect(await work.mosaic(["federation", "grant", "revoke", "home", "--dry-run"])).toMatchObject({ status: 0 });
    expect(await work.data(["federation", "grant", "revoke", "home"])).toMatchObject({ status: "revoked" });
    const after = await home.mosaic(["task", "list", "--source", "all"]);
    expect(after).toMatchObject({ status: 8, err: expect.stringContaining("federated:work is missing") });
    expect(after.out).toContain("At home");
    expect(after.out).not.toContain("At work");
    expect((await home.mosaic(["gateway", "doctor"])).out).toMatch(/^FAULT +peer work/mu);
    // With nothing but the one source asked, there is no result to be partial.
    for (const words of [
      ["task", "list", "--source", "federated:work"],
      ["task", "get", "W-1", "--source", "federated:work"],
    ]) {
      const { status, out, err } = await home.mosaic(words);
      expect([4, 7]).toContain(status);
      expect({ out, err }).toMatchObject({ out: "", err: expect.stringContaining("federated:work is missing") });
    }

    expect(await home.mosaic(["federation", "peer", "remove", "work"])).toMatchObject({
      status: 2,
      err: expect.stringContaining("--yes"),
    });
    expect(await home.mosaic(["federation", "peer", "remove", "work", "--yes"])).toMatchObject({ status: 0 });
    expect(await home.mosaic(["federation", "peer", "show", "work"])).toMatchObject({ status: 5 });
  });

  test("an invite that was lost is replaced, and the old one is void", async () => {
    const first = await work.data<Issued>([...create, "--name", "lost", "--resources", "tasks", "--personal"]);
    const second = await work.data<Issued>(["federation", "grant", "token", "lost"]);
    expect(second.invite).not.toBe(first.invite);
    expect(await home.mosaic(["federation", "peer", "add", second.invite, "--name", "found"])).toMatchObject({
      status: 0,
    });
  });

  test("a scope may come from a file", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "scope.json"), JSON.stringify({ resources: ["tasks"], include_personal: true }));
    const { grant } = await work.data<Issued>([...create, "--name", "filed", "--scope-file", "scope.json"], {
      directory,
    });
    expect(grant.status).toBe("pending");
    const both = await work.mosaic([...create, "--name", "both", "--scope-file", "scope.json", "--personal"], {
      directory,
    });
    expect(both).toMatchObject({ status: 2, err: expect.stringContaining("--scope-file holds the whole scope") });
  });

  test.each([
    [["--resources", "taskz", "--personal"], "unknown resource"],
    [["--resources", "tasks"], "exposes no rows"],
    [[], "Nothing says what may be read."],
    [["--resources", "tasks", "--personal", "--expires", "soon"], "neither a span nor a date"],
    [["--resources", "tasks", "--personal", "--max-rows", "100000"], "max_rows_per_query"],
  ])("a scope that is not valid (%j) is refused, with what is wrong", async (flags, what) => {
    expect(await work.mosaic([...create, "--name", "bad", ...flags])).toMatchObject({
      status: 2,
      err: expect.stringContaining(what),
    });
  });

  test("an invite that is none is refused, and not repeated", async () => {
    const { status, err } = await home.mosaic([
      "federation",
      "peer",
      "add",
      "https://work.example/enroll#token=abcdefgh",
    ]);
    expect(status).toBe(2);
    expect(err).not.toContain("abcdefgh");
  });
});
