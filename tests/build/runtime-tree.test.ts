import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readManifest } from "../../scripts/repository/source-files.ts";
import { readTexts } from "./container-files.ts";
import { environmentOf, execForm, finalStage, readDockerfile } from "./dockerfile.ts";
import { buildImage, type Image } from "./image.ts";

const ROOT = join(import.meta.dirname, "../..");
const NOBODY = 65_534;
const dockerfile = readDockerfile(readTexts(ROOT).Dockerfile);
const stage = finalStage(dockerfile);

const folder = mkdtempSync(join(tmpdir(), "mosaic-image-"));
const data = join(folder, "data");
const empty = join(folder, "empty");
let image: Image;
let tree: string;
let port: number;
const started: ChildProcess[] = [];

beforeAll(async () => {
  image = buildImage(ROOT, dockerfile, folder);
  tree = join(image.folder, "opt/mosaic");
  mkdirSync(data, { mode: 0o700 });
  mkdirSync(empty);
  if (process.getuid?.() === 0) chownSync(data, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
  // As in a read-only root file system.
  execFileSync("chmod", ["-R", "a+rX,a-w", image.folder, empty]);
  port = await freePort();
});

afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  execFileSync("chmod", ["-R", "u+w", folder]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: free } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return free;
}

/** As a container starts a process: the image's environment and nothing of this one's, and a user who owns the data alone. */
function surroundings(): { cwd: string; env: Record<string, string>; uid?: number; gid?: number } {
  const env = {
    ...environmentOf(stage),
    HOME: "/nonexistent",
    TMPDIR: "/nonexistent",
    XDG_DATA_HOME: data,
    MOSAIC_TIER: "federated",
    MOSAIC_EMBEDDED: "true",
    MOSAIC_HTTP_TLS: "auto",
    MOSAIC_HTTP_PORT: String(port),
    MOSAIC_FEDERATION_PORT: "0",
  };
  return { cwd: empty, env, ...(process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}) };
}

function run(command: readonly string[]) {
  const [file = "", ...words] = image.words(command);
  return spawnSync(file, words, { ...surroundings(), encoding: "utf8", timeout: 60_000 });
}

const entrypoint = execForm(stage, "ENTRYPOINT") ?? [];
const mosaic = (...words: string[]) => run([...entrypoint, ...words]);
const healthCheck = () => run(execForm(stage, "HEALTHCHECK") ?? []);

interface Started {
  readonly child: ChildProcess;
  readonly seen: () => string;
  readonly ended: Promise<number | null>;
}

/** Starts what the image starts. */
function start(): Started {
  const [file = "", ...words] = image.words([...entrypoint, ...(execForm(stage, "CMD") ?? [])]);
  const child = spawn(file, words, { ...surroundings(), stdio: ["ignore", "pipe", "pipe"] });
  started.push(child);
  let text = "";
  const hear = (chunk: Buffer): string => (text += chunk.toString());
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, seen: () => text, ended };
}

async function until(what: () => boolean, running: Started): Promise<void> {
  const end = Date.now() + 60_000;
  while (!what()) {
    if (Date.now() > end || running.child.exitCode !== null)
      throw new Error(`it did not come to that: ${running.seen()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface Answer {
  readonly status: number | undefined;
  readonly body: {
    readonly api_key?: string;
    readonly id?: string;
    readonly rows?: readonly { readonly title: string }[];
  };
}

async function rest(ca: string, method: string, path: string, body?: object, key?: string): Promise<Answer> {
  const headers = {
    "content-type": "application/json",
    ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
  };
  return await new Promise((resolve, reject) => {
    const asked = request({ host: "localhost", port, path, method, ca, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode, body: JSON.parse(text) as Answer["body"] }));
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe("the runtime tree", () => {
  test("holds the package and its production dependencies, in the lock file's versions, and nothing else", () => {
    expect(readdirSync(tree).toSorted()).toEqual(
      ["LICENSE", "README.md", "THIRD-PARTY-LICENSES.txt", "app", "node_modules", "package.json"].toSorted(),
    );
    const manifest = readManifest(join(tree, "package.json"));
    expect(manifest.devDependencies).toBeUndefined();
    const paths = readdirSync(tree, { recursive: true, encoding: "utf8" });
    const installed = paths
      .filter((path) => /^node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/.test(path))
      .map((path) => readManifest(join(tree, path)));
    const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
      packages: Record<string, { version: string; dev?: boolean }>;
    };
    expect(installed.length).toBeGreaterThanOrEqual(Object.keys(manifest.dependencies ?? {}).length);
    for (const { name = "", version } of installed) {
      const locked = lock.packages[`node_modules/${name}`];
      expect({ name, version, dev: locked?.dev }).toEqual({ name, version: locked?.version, dev: undefined });
    }
    expect(installed.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies ?? {})));

    const ours = paths.filter((path) => !path.startsWith("node_modules/"));
    expect(ours.filter((path) => /\.tsx?$|\.test\.|(^|\/)tests?(\/|$)/.test(path))).toEqual([]);
    expect(paths.filter((path) => /(^|\/)(\.git|\.npm|\.npmrc|_cacache|\.cache|\.bin|\.env)(\/|$)/.test(path))).toEqual(
      [],
    );
    expect(paths.filter((path) => /(^|\/)(vitest|typescript|esbuild|oxlint)(\/|$)/.test(path))).toEqual([]);
  });

  test("does not start without one of its modules", () => {
    const module = join(tree, "node_modules/@electric-sql/pglite");
    const away = join(folder, "pglite");
    const writable = (mode: "u+w" | "u-w"): unknown =>
      execFileSync(
        "chmod",
        [mode, join(tree, "node_modules/@electric-sql"), module].filter((path) => path !== away),
      );
    writable("u+w");
    renameSync(module, away);
    try {
      const { status, stderr } = mosaic("start");
      expect(status).toBe(1);
      expect(stderr).toContain("Cannot find package '@electric-sql/pglite'");
    } finally {
      renameSync(away, module);
      writable("u-w");
    }
  });

  test("boots where it can write to its data alone, is healthy, and keeps a task", async () => {
    expect(healthCheck()).toMatchObject({ status: 1, stderr: expect.stringContaining("ECONNREFUSED") });
    const gateway = start();
    await until(() => gateway.seen().includes("setup code"), gateway);
    expect(healthCheck()).toMatchObject({ status: 0, stdout: "", stderr: "" });

    const root = run(["node", "/opt/mosaic-image/own-root.mjs"]);
    expect(root).toMatchObject({ status: 0, stdout: expect.stringContaining("BEGIN CERTIFICATE"), stderr: "" });
    const code = /setup code +(\S+)/.exec(gateway.seen())?.[1] ?? "";
    const ada = { code, name: "Ada", email: "ada@example.org", password: "correct horse battery staple" };
    const setup = await rest(root.stdout, "POST", "/api/v1/setup", ada);
    expect(setup.status).toBe(201);
    const key = setup.body.api_key ?? "";
    expect(await rest(root.stdout, "POST", "/api/v1/tasks", { title: "Buy milk" }, key)).toMatchObject({ status: 201 });
    const listed = await rest(root.stdout, "GET", "/api/v1/tasks", undefined, key);
    expect(listed.body.rows?.map(({ title }) => title)).toEqual(["Buy milk"]);

    writeFileSync(join(folder, "root.pem"), root.stdout);
    const doctor = mosaic(
      "gateway",
      "doctor",
      "--json",
      "--url",
      `https://localhost:${port}`,
      "--ca-file",
      join(folder, "root.pem"),
    );
    expect(`${doctor.stderr}${doctor.stdout}`).toContain('"overall":"green"');
    expect(doctor.status).toBe(0);

    gateway.child.kill("SIGTERM");
    expect(await gateway.ended).toBe(0);
    expect(readdirSync(empty)).toEqual([]);
    expect(readdirSync(data)).toEqual(["mosaic"]);
    expect(healthCheck()).toMatchObject({ status: 1 });
  }, 120_000);
});

describe("the health check", () => {
  test.each([
    [200, 0, ""],
    [503, 1, "/healthz answers 503"],
  ])("of a plain listener that answers %d ends with %d", async (answered, status, said) => {
    const asked: string[] = [];
    const server = createServer((incoming, response) => {
      asked.push(incoming.url ?? "");
      response.writeHead(answered).end();
    });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const check = spawn(image.node, image.words(execForm(stage, "HEALTHCHECK") ?? []).slice(1), surroundings());
    let text = "";
    check.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const ended = await new Promise((resolve) => check.on("close", resolve));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect({ ended, text: text.trim(), asked }).toEqual({
      ended: status,
      text: expect.stringContaining(said),
      asked: ["/healthz"],
    });
  });
});

test("the image makes step-ca's authority by Node alone", () => {
  const authority = join(data, "step-ca");
  const command = ["node", "/opt/mosaic-image/step-ca/create-authority-command.mjs"];
  const made = run([...command, "--directory", authority, "--host", "step-ca", "--host", "localhost"]);
  expect(made).toMatchObject({ status: 0, stderr: "" });
  const configuration = JSON.parse(readFileSync(join(authority, "config/ca.json"), "utf8")) as Record<string, unknown>;
  expect(configuration).toMatchObject({ address: ":9000", dnsNames: ["step-ca", "localhost"] });
  // What the compose file's command and health check name.
  for (const file of ["secrets/password", "secrets/intermediate_ca_key", "certs/root_ca.crt"]) {
    expect(readFileSync(join(authority, file), "utf8").length).toBeGreaterThan(10);
  }
  // Never over an authority that is there.
  expect(run([...command, "--directory", authority, "--host", "step-ca"]).status).toBe(1);
});
