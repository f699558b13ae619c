import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const BINARY = join(import.meta.dirname, "../../apps/cli/bin/mosaic.js");
const PASSWORD = "correct horse battery staple";

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "mosaic-binary-"));
});
afterAll(async () => await rm(home, { recursive: true, force: true }));

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<Ran>;
}

/** Starts the command as people do, with nothing of this process's environment but the PATH. */
function start(
  words: readonly string[],
  options: { readonly input?: string; readonly binary?: string; readonly directory?: string } = {},
): Running {
  const child = spawn(process.execPath, [options.binary ?? BINARY, ...words], {
    cwd: options.directory ?? home,
    env: { PATH: process.env["PATH"], HOME: home, TMPDIR: tmpdir() },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(options.input ?? "");
  const ended = new Promise<Ran>((resolve) => child.on("close", (status) => resolve({ status, out, err })));
  return { child, out: () => out, ended };
}

const run = async (...parameters: Parameters<typeof start>): Promise<Ran> => await start(...parameters).ended;

async function until(what: () => boolean, milliseconds = 30_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!what()) {
    if (Date.now() > end) throw new Error("it did not come to that in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("the binary", () => {
  test("works from any folder, through a link, and whatever tsconfig.json lies about", async () => {
    const folder = join(home, "project");
    await mkdir(folder);
    await writeFile(join(folder, "tsconfig.json"), "{ this is not JSON");
    await symlink(BINARY, join(home, "mosaic"));
    expect(await run(["--version"], { binary: join(home, "mosaic"), directory: folder })).toEqual({
      status: 0,
      out: "0.1.0\n",
      err: "",
    });
  });

  test("ends quietly when nobody reads on", async () => {
    const running = start(["completion", "bash"]);
    running.child.stdout?.destroy();
    expect(await running.ended).toMatchObject({ status: 0, err: "" });
  });

  test("ends with 130 on Ctrl-C", async () => {
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
    const asked = new Promise((resolve) => mute.once("request", resolve));
    const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    await writeFile(join(home, "key"), "k");
    const running = start(["gateway", "doctor", "--url", url]);
    await asked;
    running.child.kill("SIGINT");
    expect(await running.ended).toMatchObject({ status: 130 });
    mute.closeAllConnections();
    mute.close();
  });
});

describe("init, start, setup, task", () => {
  test("from an empty folder to a task, and to a clean end", async () => {
    const folder = join(home, "gateway");
    await mkdir(folder);
    expect(await run(["init", "--yes", "--data-directory", "data"], { directory: folder })).toMatchObject({
      status: 0,
    });
    const file = join(folder, "mosaic.config.json");
    await writeFile(
      file,
      JSON.stringify({ ...(JSON.parse(await readFile(file, "utf8")) as object), http: { port: 0 } }),
    );

    const gateway = start(["start", "--set", "log.level=warn"], { directory: folder });
    try {
      await until(() => gateway.out().includes("setup code"));
      const url = /http:\/\/[\w.:]+/u.exec(gateway.out())?.[0] ?? "";
      const code = /setup code +(\S+)/u.exec(gateway.out())?.[1] ?? "";
      await writeFile(join(home, "pw"), PASSWORD);

      const setup = [
        "setup",
        "--url",
        url,
        "--name",
        "Ada",
        "--email",
        "ada@example.org",
        "--code-file",
        "-",
        "--password-file",
        "pw",
      ];
      expect(await run(setup, { input: code })).toMatchObject({ status: 0 });
      expect(await run(["task", "add", "Buy milk"])).toMatchObject({ status: 0 });
      expect(await run(["task", "list"])).toMatchObject({ status: 0, out: expect.stringContaining("Buy milk") });
      // The folder's lock says who has it open.
      expect(await run(["gateway", "doctor"], { directory: folder })).toMatchObject({
        status: 0,
        out: expect.stringContaining(`open by process ${gateway.child.pid}`),
      });

      const second = await run(["start", "--set", "http.port=0"], { directory: folder });
      expect(second).toMatchObject({
        status: expect.any(Number),
        err: expect.stringContaining("data_directory_locked"),
      });
      expect(second.status).not.toBe(0);
    } finally {
      gateway.child.kill("SIGINT");
    }
    expect(await gateway.ended).toMatchObject({ status: 0 });
    expect(await run(["task", "list"])).toMatchObject({
      status: 7,
      err: expect.stringContaining("nothing listens there"),
    });
  }, 90_000);
});
