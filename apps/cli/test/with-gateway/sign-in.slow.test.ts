import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PASSWORD, type RealGateway, startGateway } from "../real-gateway.ts";
import { runHere, temporaryFolder } from "../run-here.ts";

let fresh: RealGateway;
beforeAll(async () => {
  fresh = await startGateway({ withAdmin: false });
});
afterAll(async () => await fresh.stop());

async function profiles(
  directory: string,
): Promise<{ current?: string; profiles: Record<string, { url: string; api_key: string; api_key_id?: string }> }> {
  return JSON.parse(await readFile(join(directory, ".config", "mosaic", "profiles.json"), "utf8")) as never;
}

describe("from the first start", () => {
  let home: string;

  test("a wrong code makes nobody an admin", async () => {
    home = await temporaryFolder();
    await writeFile(join(home, "code"), "wrong");
    await writeFile(join(home, "pw"), PASSWORD);
    const words = [
      "setup",
      "--url",
      fresh.url,
      "--name",
      "Ada",
      "--email",
      "ada@example.org",
      "--code-file",
      "code",
      "--password-file",
      "pw",
    ];
    const { status, err } = await runHere(words, { directory: home });
    expect({ status, err }).toMatchObject({ status: 4, err: expect.stringContaining("(setup_code_wrong") });
    await expect(profiles(home)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("setup, whoami, login with the password, logout", async () => {
    const directory = await temporaryFolder();
    const run = async (words: string[], input?: string) =>
      await runHere(words, { directory, ...(input === undefined ? {} : { input }) });
    await writeFile(join(directory, "pw"), `${PASSWORD}\n`);

    const setup = await run(
      [
        "setup",
        "--url",
        fresh.url,
        "--name",
        "Ada",
        "--email",
        "ada@example.org",
        "--code-file",
        "-",
        "--password-file",
        "pw",
      ],
      `${fresh.setupCode}\n`,
    );
    expect(setup).toMatchObject({ status: 0, out: `Ada <ada@example.org> is the first admin of ${fresh.url}\n` });
    expect(setup.err).toContain("mosaic task add");
    expect(`${setup.out}${setup.err}`).not.toContain((await profiles(directory)).profiles["default"]?.api_key);

    expect(JSON.parse((await run(["whoami", "--json"])).out)).toMatchObject({
      data: { name: "Ada", role: "admin", url: fresh.url, profile: "default" },
    });

    const again = await run(
      [
        "setup",
        "--url",
        fresh.url,
        "--name",
        "Eve",
        "--email",
        "eve@example.org",
        "--code-file",
        "-",
        "--password-file",
        "pw",
      ],
      fresh.setupCode,
    );
    expect(again).toMatchObject({ status: 6, err: expect.stringContaining("(setup_done") });

    const login = await run([
      "login",
      "--url",
      fresh.url,
      "--profile",
      "laptop",
      "--email",
      "ada@example.org",
      "--password-file",
      "pw",
    ]);
    expect(login).toMatchObject({ status: 0, out: `Ada <ada@example.org> at ${fresh.url}\n` });
    const saved = await profiles(directory);
    expect(Object.keys(saved.profiles)).toEqual(["default", "laptop"]);
    expect(saved.current).toBe("laptop");
    const laptopKey = saved.profiles["laptop"]?.api_key ?? "";

    expect(await run(["logout", "--dry-run"])).toMatchObject({ status: 0 });
    expect(JSON.parse((await run(["logout", "--json"])).out)).toMatchObject({
      data: { profile: "laptop", url: fresh.url, key_withdrawn: true },
    });
    expect(Object.keys((await profiles(directory)).profiles)).toEqual(["default"]);
    // The key that login made is of no use to whoever has a copy of the file.
    const copy = await runHere(["whoami"], { variables: { MOSAIC_URL: fresh.url, MOSAIC_API_KEY: laptopKey } });
    expect(copy).toMatchObject({ status: 4, err: expect.stringContaining("(credential_refused") });
    expect(await run(["whoami"])).toMatchObject({ status: 0 });
  });

  test("a wrong password signs nobody in", async () => {
    const { status, err } = await runHere(
      ["login", "--url", fresh.url, "--email", "ada@example.org", "--password-file", "-"],
      { input: "wrong password" },
    );
    expect({ status, err }).toMatchObject({ status: 4, err: expect.stringContaining("(sign_in_refused") });
  });

  test("a key that is none is not remembered", async () => {
    const directory = await temporaryFolder();
    const { status } = await runHere(["login", "--url", fresh.url, "--key-file", "-"], {
      directory,
      input: "mosaic_nonsense",
    });
    expect(status).toBe(4);
    await expect(profiles(directory)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("logout works with the gateway gone, and says that the key works on", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "pw"), PASSWORD);
    await runHere(["login", "--url", fresh.url, "--email", "ada@example.org", "--password-file", "pw"], { directory });
    const path = join(directory, ".config", "mosaic", "profiles.json");
    await writeFile(path, (await readFile(path, "utf8")).replace(fresh.url, "http://127.0.0.1:9"));
    const { status, err } = await runHere(["logout"], { directory });
    expect(status).toBe(0);
    expect(err).toContain("works on");
    expect((await profiles(directory)).profiles).toEqual({});
  });
});
