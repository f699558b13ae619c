import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RealGateway, startGateway } from "../real-gateway.ts";
import { temporaryFolder } from "../run-here.ts";

const SLOW_MS = 120_000;

let work: RealGateway;
let home: RealGateway;
beforeAll(async () => {
  work = await startGateway({ tier: "federated" });
  home = await startGateway({ tier: "federated" });
}, SLOW_MS);
afterAll(async () => {
  await home?.stop();
  await work?.stop();
});

const audit = (...words: string[]): string[] => ["federation", "audit", ...words];

describe("mosaic federation audit", { timeout: SLOW_MS }, () => {
  test("is of requests that were made: one answered, one refused", async () => {
    const words = ["grant", "create", "--name", "home", "--subject", "ada@example.org", "--preset", "tasks-only"];
    const { invite } = await work.data<{ invite: string }>(["federation", ...words]);
    expect(await home.mosaic(["federation", "peer", "add", invite, "--name", "work"])).toMatchObject({ status: 0 });
    expect(await home.mosaic(["task", "list", "--source", "federated:work"])).toMatchObject({ status: 0 });
    expect(await home.mosaic(["note", "list", "--source", "federated:work"])).toMatchObject({ status: 4 });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  });

  test("list: what was served and what was asked, by names, newest first, and where the log ends", async () => {
    const served = await work.mosaic(audit("list", "--event", "request"));
    expect(served.out).toMatch(/^AT +SIDE +GRANT OR PEER +USER +WHAT +OUTCOME +ROWS +BYTES +MS$/mu);
    expect(served.out).toMatch(/^\S+ \S+ +serving +home +Ada +list notes +resource_not_in_scope/mu);
    expect(served.out).toMatch(/^\S+ \S+ +serving +home +Ada +list tasks +ok +0 +\d+ +\d+\.\d$/mu);
    expect(served.err).toMatch(/^The log ends at \d+:[\w-]{43}$/mu);
    const asked = await home.mosaic(audit("list", "--peer", "work", "--outcome", "refused"));
    expect(asked.out.split("\n").filter((line) => line.includes("querying"))).toHaveLength(1);
  });

  test("list: filters by grant, user, time and request, and pages", async () => {
    const { rows } = await work.data<{ rows: { request_id: string; at: string }[] }>(
      audit("list", "--grant", "home", "--user", "ada@example.org", "--since", "1h", "--event", "request"),
    );
    expect(rows.length).toBeGreaterThanOrEqual(3);
    const [newest] = rows;
    const one = await work.data<{ rows: unknown[] }>(audit("list", "--request", newest?.request_id ?? ""));
    expect(one.rows).toEqual([newest]);
    const other = await home.data<{ rows: { outcome: string }[] }>(
      audit("list", "--request", newest?.request_id ?? ""),
    );
    expect(other.rows).toMatchObject([{ side: "querying", outcome: "resource_not_in_scope" }]);
    const page = await work.mosaic(audit("list", "--limit", "1"));
    const cursor = /--cursor (\S+)/u.exec(page.err)?.[1] ?? "";
    const next = await work.data<{ rows: unknown[] }>(audit("list", "--limit", "1", "--cursor", cursor));
    expect(next.rows).toEqual([(await work.data<{ rows: unknown[] }>(audit("list", "--limit", "2"))).rows[1]]);
    expect(await work.mosaic(audit("list", "--until", "1w"))).toMatchObject({ status: 0, out: "" });
    expect(await work.mosaic(audit("list", "--grant", "nobody"))).toMatchObject({ status: 5 });
    expect(await work.mosaic(audit("list", "--since", "soon"))).toMatchObject({ status: 2 });
  });

  test("verify: intact, with the head for the next time; a head that was never there ends with 1", async () => {
    const found = await work.mosaic(audit("verify"));
    expect(found).toMatchObject({ status: 0, out: expect.stringMatching(/^intact +yes$/mu) });
    const head = /--expect (\S+)/u.exec(found.err)?.[1] ?? "";
    expect(await work.mosaic(audit("verify", "--expect", head))).toMatchObject({ status: 0 });
    const wrong = await work.mosaic(audit("verify", "--expect", `1:${"x".repeat(43)}`));
    expect(wrong).toMatchObject({ status: 1, out: expect.stringMatching(/^intact +NO$/mu) });
    expect(wrong.out).toMatch(/^first fault +entry 1 is not the one that was expected/mu);
    expect(await work.mosaic(audit("verify", "--expect", "soon"))).toMatchObject({ status: 2 });
  });

  test("export: JSON lines to standard output, one envelope a line with --json, CSV to a file of its owner's", async () => {
    const lines = (await work.mosaic(audit("export"))).out.trimEnd().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as { id: string });
    expect(entries.map(({ id }) => id)).toEqual(entries.map(({ id }) => id).toSorted());
    const wrapped = (await work.mosaic(audit("export", "--json"))).out.trimEnd().split("\n");
    expect(wrapped.slice(0, -1).map((line) => (JSON.parse(line) as { row: unknown }).row)).toEqual(entries);
    expect(JSON.parse(wrapped.at(-1) ?? "")).toMatchObject({ end: { rows: entries.length } });

    const folder = await temporaryFolder();
    const file = join(folder, "audit.csv");
    expect(await work.mosaic(audit("export", "--format", "csv", "--output", file))).toMatchObject({
      status: 0,
      out: "",
    });
    expect((await readFile(file, "utf8")).split("\r\n")).toHaveLength(entries.length + 2);
    expect((await stat(file)).mode & 0o077).toBe(0);
    expect(await readdir(folder)).toEqual(["audit.csv"]);
    expect(await work.mosaic(audit("export", "--output", join(folder, "no/such/folder")))).toMatchObject({ status: 1 });
    expect(await work.mosaic(audit("export", "--format", "csv", "--json"))).toMatchObject({ status: 2 });
  });

  test("status says how the audit log is", async () => {
    expect((await work.mosaic(["federation", "status"])).out).toMatch(/^audit log +ok, 0 waiting, 0 without room$/mu);
  });
});
