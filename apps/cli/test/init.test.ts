import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "@mosaicstack/config";
import { describe, expect, test } from "vitest";
import { runHere, temporaryFolder } from "./run-here.ts";

const secret = { BETTER_AUTH_SECRET: "x".repeat(40) };

describe("init", () => {
  test.each([
    [["--yes"], { tier: "local" }],
    [
      ["--plan", "local", "--port", "8080", "--data-directory", "data"],
      { tier: "local", dataDirectory: "data", http: { port: 8080 } },
    ],
    [
      [
        "--plan",
        "federated-embedded",
        "--host",
        "0.0.0.0",
        "--public-url",
        "https://home.example",
        "--federation-url",
        "https://home.example:14443",
      ],
      {
        tier: "federated",
        embedded: true,
        http: { host: "0.0.0.0", publicUrl: "https://home.example" },
        federation: { host: "0.0.0.0", publicUrl: "https://home.example:14443" },
      },
    ],
    [
      ["--plan", "standalone", "--database-url", "postgresql://mosaic@db.example/mosaic"],
      { tier: "standalone", database: { url: "postgresql://mosaic@db.example/mosaic" } },
    ],
    [
      [
        "--plan",
        "federated",
        "--database-url",
        "postgresql://mosaic@db.example/mosaic",
        "--queue-url",
        "redis://valkey.example:6379",
      ],
      {
        tier: "federated",
        database: { url: "postgresql://mosaic@db.example/mosaic" },
        queue: { url: "redis://valkey.example:6379" },
      },
    ],
  ])("%j writes a file that the gateway reads", async (words, file) => {
    const directory = await temporaryFolder();
    const { status, out, err } = await runHere(["init", ...words], { directory });
    expect({ status, out }).toEqual({ status: 0, out: `Wrote ${join(directory, "mosaic.config.json")}\n` });
    expect(err).toContain("mosaic start");
    expect(JSON.parse(await readFile(join(directory, "mosaic.config.json"), "utf8"))).toEqual(file);
    await expect(loadConfig({ directory, environment: secret })).resolves.toMatchObject({
      config: { tier: file.tier },
    });
  });

  test("never overwrites, unless it is told to", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "mosaic.config.json"), "mine");
    expect(await runHere(["init", "--yes"], { directory })).toMatchObject({
      status: 6,
      err: expect.stringContaining("--force"),
    });
    expect(await readFile(join(directory, "mosaic.config.json"), "utf8")).toBe("mine");
    expect(await runHere(["init", "--yes", "--force"], { directory })).toMatchObject({ status: 0 });
    expect(await readFile(join(directory, "mosaic.config.json"), "utf8")).toBe('{\n  "tier": "local"\n}\n');
  });

  test("with --dry-run writes nothing", async () => {
    const directory = await temporaryFolder();
    const { status, out } = await runHere(["init", "--dry-run", "--json"], { directory });
    expect({ status, data: JSON.parse(out) as unknown }).toMatchObject({
      status: 0,
      data: { data: { dry_run: true, config: { tier: "local" } } },
    });
    await expect(readFile(join(directory, "mosaic.config.json"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("writes nothing that the gateway would refuse", async () => {
    const directory = await temporaryFolder();
    const { status, err } = await runHere(["init", "--public-url", "not an address"], { directory });
    expect(status).toBe(3);
    expect(err).toContain("http.publicUrl");
    await expect(readFile(join(directory, "mosaic.config.json"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("a password does not get into the file", async () => {
    const directory = await temporaryFolder();
    const words = ["init", "--plan", "standalone", "--database-url", "postgresql://mosaic:hunter2@db/mosaic"];
    const { status, out, err } = await runHere(words, { directory });
    expect(status).toBe(3);
    expect(`${out}${err}`).not.toContain("hunter2");
  });
});

describe("config show", () => {
  test("says every setting, and who said so", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "mosaic.config.json"), '{"tier":"local","http":{"port":8080}}');
    const variables = { MOSAIC_HTTP_HOST: "0.0.0.0", MOSAIC_URL: "https://elsewhere.example" };
    const { status, out } = await runHere(["config", "show", "--origin", "--set", "log.level=debug"], {
      directory,
      variables,
    });
    expect(status).toBe(0);
    expect(out).toMatch(/^SETTING +VALUE +FROM$/mu);
    expect(out).toMatch(/^http\.port +8080 +\/.*mosaic\.config\.json$/mu);
    expect(out).toMatch(/^http\.host +0\.0\.0\.0 +MOSAIC_HTTP_HOST$/mu);
    expect(out).toMatch(/^log\.level +debug +a flag$/mu);
    expect(out).toMatch(/^log\.format +json +default$/mu);
  });

  test("never shows a secret", async () => {
    const { status, out } = await runHere(["config", "show", "--json"], {
      variables: { BETTER_AUTH_SECRET: `hunter2${"x".repeat(40)}` },
    });
    expect(status).toBe(0);
    expect(out).not.toContain("hunter2");
    expect(out).toContain("BETTER_AUTH_SECRET");
  });

  test("of a faulty file says every fault, with a suggestion, and ends with 3", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "mosaic.config.json"), '{"tier":"local","http":{"prot":8080,"host":""}}');
    const { status, out, err } = await runHere(["config", "show"], { directory });
    expect({ status, out }).toEqual({ status: 3, out: "" });
    expect(err).toContain("http.prot");
    expect(err).toContain("http.port");
    expect(err).toContain("http.host");
    const inJson = JSON.parse((await runHere(["config", "show", "--json"], { directory })).err) as {
      error: { code: string; faults: unknown[] };
    };
    expect(inJson.error).toMatchObject({ code: "config_invalid" });
    expect(inJson.error.faults).toHaveLength(2);
  });

  test("an unknown variable of the gateway's is a fault; the command's own are not", async () => {
    expect(await runHere(["config", "show"], { variables: { MOSAIC_HTTP_PROT: "1" } })).toMatchObject({
      status: 3,
      err: expect.stringContaining("MOSAIC_HTTP_PROT"),
    });
    expect(
      await runHere(["config", "show"], {
        variables: { MOSAIC_PROFILE: "x", MOSAIC_API_KEY: "k", MOSAIC_CA_FILE: "/x" },
      }),
    ).toMatchObject({ status: 0 });
  });
});

describe("gateway doctor, with the gateway down", () => {
  const free = ["--set", "http.port=9"];

  test("is red, and says what to do", async () => {
    const { status, out } = await runHere(["gateway", "doctor", ...free]);
    expect(status).toBe(7);
    expect(out).toMatch(/^ok +configuration +tier local, no file: all defaults$/mu);
    expect(out).toMatch(
      /^FAULT +listener +The gateway at http:\/\/127\.0\.0\.1:9 does not answer: nothing listens there/mu,
    );
    expect(out).toContain("mosaic start");
    expect(out.trimEnd()).toMatch(/red$/u);
  });

  test("in JSON has a code and a remedy for each fault", async () => {
    const { status, out } = await runHere(["gateway", "doctor", "--json", ...free]);
    const { data } = JSON.parse(out) as {
      data: { overall: string; checks: { name: string; status: string; code?: string; remedy?: string }[] };
    };
    expect({ status, overall: data.overall }).toEqual({ status: 7, overall: "red" });
    for (const check of data.checks.filter(({ status: how }) => how === "fault" || how === "warning")) {
      expect(check).toMatchObject({ code: expect.stringMatching(/^[a-z_]+$/u), remedy: expect.stringMatching(/./u) });
    }
  });

  test("with a faulty configuration says that first, and ends with 3", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "mosaic.config.json"), '{"tier":"loco"}');
    const { status, out } = await runHere(["gateway", "doctor"], { directory });
    expect(status).toBe(3);
    expect(out).toMatch(/^FAULT +configuration/u);
  });

  test("a data directory that is no folder is a fault", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "data"), "");
    const { out } = await runHere(["gateway", "doctor", "--set", `dataDirectory=${join(directory, "data")}`, ...free], {
      directory,
    });
    expect(out).toMatch(/^FAULT +data directory .*can't be used/mu);
  });

  test("of another machine's gateway does not look at this one's files", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "mosaic.config.json"), "broken");
    const { out } = await runHere(["gateway", "doctor", "--url", "https://mosaic.invalid"], { directory });
    expect(out).toMatch(/^- +configuration +https:\/\/mosaic\.invalid is another machine's$/mu);
  });
});
