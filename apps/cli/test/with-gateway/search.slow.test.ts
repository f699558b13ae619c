import { afterAll, beforeAll, expect, test } from "vitest";
import { type RealGateway, startGateway } from "../real-gateway.ts";

let gateway: RealGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => await gateway.stop());

test("finds rows of every resource, a line each, with where the words stand", async () => {
  await gateway.mosaic(["note", "add", "Herons", "--body", "They stand in the reeds and wait."]);
  await gateway.mosaic(["task", "add", "Feed the heron"]);
  await gateway.mosaic(["credential", "add", "heron feed shop", "--kind", "password", "--secret-file", "-"], {
    input: "reedy-secret",
  });
  const { status, out } = await gateway.mosaic(["search", "heron", "reeds"]);
  expect(status).toBe(0);
  expect(out).toMatch(
    /^RESOURCE +ID +TITLE +FOUND IN\nnotes +[0-9a-f-]{36} +Herons +They stand in the reeds and wait\./u,
  );
  expect(out).not.toContain("reedy-secret");
});

test("takes resources, a limit and JSON", async () => {
  const { rows, more } = await gateway.data<{ rows: unknown[]; more: boolean }>([
    "search",
    "herron",
    "--resource",
    "tasks",
    "--resource",
    "notes",
    "--limit",
    "1",
  ]);
  expect(rows).toHaveLength(1);
  expect(more).toBe(true);
  expect(await gateway.data(["search", "heron", "--resource", "tasks"])).toMatchObject({
    rows: [{ resource: "tasks", row: { title: "Feed the heron" }, snippet: "Feed the heron" }],
  });
});

test("says that nothing was found, and what is wrong with the words or the resource", async () => {
  expect(await gateway.mosaic(["search", "zebra"])).toMatchObject({ status: 0, out: "", err: "Nothing found.\n" });
  expect(await gateway.mosaic(["search", "x".repeat(600)])).toMatchObject({ status: 2 });
  expect(await gateway.mosaic(["search", "heron", "--resource", "secrets"])).toMatchObject({ status: 2 });
  expect(await gateway.mosaic(["search"])).toMatchObject({ status: 2 });
});
