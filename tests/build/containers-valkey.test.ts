import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { interpolate, type Service } from "./compose-file.ts";
import { COMPOSE, containerFiles, readTexts, STACK } from "./container-files.ts";
import { standIns } from "./container-rules.ts";

const ROOT = join(import.meta.dirname, "../..");
const PASSWORD = "f00d5ec2e7";
const { composed } = containerFiles(readTexts(ROOT));

/** The service `valkey` of a file, and a folder with the image's programs by their names, here Redis's. */
async function valkeyOf(path: string) {
  const { model } = composed.find((each) => each.path === path)!;
  const service: Service = interpolate(model, standIns(model, { VALKEY_PASSWORD: PASSWORD })).services["valkey"]!;
  const folder = mkdtempSync(join(tmpdir(), "mosaic-valkey-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const programs = {
    "docker-entrypoint.sh": 'exec "$@"',
    "valkey-server": `exec redis-server "$@" --port ${port} --bind 127.0.0.1`,
    "valkey-cli": `exec redis-cli -p ${port} "$@"`,
  };
  mkdirSync(join(folder, "bin"));
  mkdirSync(join(folder, "data"));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  writeFileSync(join(folder, "valkey-password"), `${PASSWORD}\n`);
  const here = (word: string): string =>
    word.replaceAll("/run/secrets/", `${folder}/`).replaceAll("/data", join(folder, "data"));
  const env = { PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`, ...service.environment };
  const [, check = ""] = service.healthcheck?.test ?? [];
  return {
    port,
    folder,
    start: (): ChildProcess => {
      const [file = "", ...words] = (service.command ?? []).map(here);
      const child = spawn(file, words, { cwd: folder, env, stdio: "ignore" });
      onTestFinished(() => void child.kill("SIGKILL"));
      return child;
    },
    // As the engine runs CMD-SHELL.
    isHealthy: () => spawnSync("/bin/sh", ["-c", here(check)], { env, encoding: "utf8" }).status === 0,
  };
}

async function say(port: number, words: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(`${words}\r\n`));
    socket.once("data", (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

describe.each([COMPOSE, STACK])("valkey of %s", (path) => {
  test("asks for its password, which no argument shows, is healthy once it serves, and ends by SIGTERM", async () => {
    expect(execFileSync("redis-server", ["--version"], { encoding: "utf8" })).toContain("v=");
    const valkey = await valkeyOf(path);
    expect(valkey.isHealthy()).toBe(false);
    const child = valkey.start();
    const end = Date.now() + 20_000;
    while (!valkey.isHealthy()) {
      if (Date.now() > end || child.exitCode !== null) throw new Error("valkey did not start");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await say(valkey.port, "ping")).toContain("NOAUTH");
    expect(await say(valkey.port, `auth ${PASSWORD}`)).toBe("+OK\r\n");
    expect(await say(valkey.port, "auth wrong")).toContain("WRONGPASS");
    // The shell has become the server.
    const words = readFileSync(`/proc/${child.pid}/cmdline`, "utf8");
    expect(words).toContain("redis-server");
    expect(words).not.toContain(PASSWORD);
    const settings = spawnSync("redis-cli", ["-p", String(valkey.port), "config", "get", "maxmemory-policy"], {
      env: { PATH: process.env["PATH"], REDISCLI_AUTH: PASSWORD },
      encoding: "utf8",
    });
    expect(settings.stdout).toContain("noeviction");
    const ended = new Promise((resolve) => child.on("close", resolve));
    child.kill("SIGTERM");
    expect(await ended).toBe(0);
    expect(valkey.isHealthy()).toBe(false);
  });
});
