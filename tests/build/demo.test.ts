import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const BINARY = join(import.meta.dirname, "../../apps/cli/bin/mosaic.js");

/** Says that both gateways are up, their ports with them. */
const CLAIMING = "becoming their admins";

let folder: string;
const started: ChildProcess[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mosaic-demo-test-"));
});
afterAll(async () => {
  for (const child of started) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 500 });
});

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** What of the proof's JSON is read here. */
interface Proof {
  readonly gateways: { readonly home: { readonly url: string }; readonly work: { readonly url: string } };
  readonly employees: readonly {
    readonly name: string;
    readonly certificate: { readonly serial: string; readonly subject: string };
    readonly blended: {
      readonly rows: readonly { readonly _source: string; readonly owner: string; readonly team: string | null }[];
    };
  }[];
  readonly offline: { readonly sources: readonly { readonly source: string; readonly status: string }[] };
  readonly environment: { readonly XDG_CONFIG_HOME: string };
}

interface Running {
  readonly child: ChildProcess;
  readonly seen: () => Pick<Ran, "out" | "err">;
  readonly ended: Promise<Ran>;
}

/** Runs the command with settings about that would break a gateway which took them for its own. */
function start(words: readonly string[], variables: Readonly<Record<string, string>> = {}): Running {
  const child = spawn(process.execPath, [BINARY, ...words], {
    cwd: folder,
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      TMPDIR: folder,
      MOSAIC_HTTP_PORT: "1",
      MOSAIC_TIER: "local",
      BETTER_AUTH_SECRET: "short",
      ...variables,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  started.push(child);
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ran>((resolve) => child.on("close", (status) => resolve({ status, out, err })));
  return { child, seen: () => ({ out, err }), ended };
}

async function until(what: () => boolean | Promise<boolean>, running?: Running, milliseconds = 150_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await what())) {
    const early = running !== undefined && running.child.exitCode !== null;
    if (early || Date.now() > end) throw new Error(`it did not come to that: ${JSON.stringify(running?.seen())}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Processes as `ps` knows them, those that have ended and wait to be reaped left out. */
function processes(): { pid: number; parent: number; words: string[] }[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8" }).trim().split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/u))
    .filter(([, , state = ""]) => !state.startsWith("Z"))
    .map(([pid, parent, , ...words]) => ({ pid: Number(pid), parent: Number(parent), words }));
}

const childrenOf = ({ child }: Running): number[] =>
  processes()
    .filter(({ parent }) => parent === child.pid)
    .map(({ pid }) => pid);

const gatewaysOf = ({ child }: Running): number[] =>
  processes()
    .filter(({ parent, words }) => parent === child.pid && words.includes("--until-input-ends"))
    .map(({ pid }) => pid);

const alive = (pids: readonly number[]): number[] =>
  processes()
    .map(({ pid }) => pid)
    .filter((pid) => pids.includes(pid));

const demoFolders = async (): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.startsWith("mosaic-demo-"));

describe("mosaic demo", () => {
  test("proves itself twice at once, works for the next commands, and leaves nothing, even when it is killed", async () => {
    const first = start(["demo", "--json"]);
    // A second one meanwhile finds the first one's ports taken.
    await until(() => first.seen().err.includes(CLAIMING), first);
    const second = start(["demo", "--once"]);
    await until(() => second.seen().err.includes(CLAIMING), second);
    const gateways = childrenOf(second);
    expect(gateways.length).toBeGreaterThanOrEqual(2);

    await until(() => first.seen().out.includes("\n"), first);
    const { command, data } = JSON.parse(first.seen().out) as { command: string; data: Proof };
    expect(command).toBe("demo");
    const { home, work } = data.gateways;
    expect(data).toMatchObject({
      certificate: { subject: "Ada", serial: expect.stringMatching(/^[0-9a-f]{16,}$/u) },
      blended: { partial: false },
      denied: { resource: "memory", source: { status: "denied", error: { code: "resource_not_in_scope" } } },
      offline: { partial: true },
    });
    const given = data.employees.map(({ name, certificate, blended }) => {
      const fromWork = blended.rows.filter(({ _source }) => _source === "federated:work");
      const places = new Set(fromWork.map(({ owner, team }) => team ?? owner));
      return { name, subject: certificate.subject, rows: fromWork.length, places: [...places].toSorted() };
    });
    expect(given).toEqual([
      { name: "Ada", subject: "Ada", rows: 6, places: ["Ada", "Platform"] },
      { name: "Grace", subject: "Grace", rows: 10, places: ["Grace", "Platform", "Research"] },
      { name: "Linus", subject: "Linus", rows: 5, places: ["Linus", "Research"] },
    ]);
    expect(new Set(data.employees.map(({ certificate }) => certificate.serial)).size).toBe(3);
    // Home and work: those of that one step are gone again.
    expect(gatewaysOf(first)).toHaveLength(2);
    const offline = data.offline.sources.map(({ source, status }) => [source, status]);
    expect(offline).toEqual([
      ["local", "ok"],
      ["federated:work", "offline"],
    ]);

    // It still runs, and the commands it prints work with the profiles it made.
    const again = start(["task", "list", "--source", "all", "--json"], {
      XDG_CONFIG_HOME: data.environment.XDG_CONFIG_HOME,
    });
    const listed = await again.ended;
    expect(listed).toMatchObject({ status: 0, err: "" });
    const rows = JSON.parse(listed.out).data.rows as { _source: string; title: string }[];
    expect(rows.filter(({ _source }) => _source === "local")).toHaveLength(6);
    expect(rows.filter(({ _source }) => _source === "federated:work")).toHaveLength(6);
    // Grace's own, and another team's.
    expect(rows.map(({ title }) => title)).not.toContain("Prepare the interviews");
    expect(rows.map(({ title }) => title)).not.toContain("Summarise the latency study");

    const { status, out, err } = await second.ended;
    expect([status, err.includes("error")], `${out}\n${err}`).toEqual([0, false]);
    for (const { url } of [home, work]) expect(out).not.toContain(`${url} `);
    expect(out).toMatch(/^ +local +open +Fix the kitchen tap/mu);
    expect(out).toMatch(/^ +federated:work +open +Rotate the staging certificates/mu);
    expect(out).toMatch(/sources: local ok \d+ ms, 6 rows · federated:work ok \d+ ms, 6 rows$/mu);
    expect(out).toMatch(/work saw client certificate [0-9a-f]+, grant [0-9a-f-]+, subject Ada$/mu);
    expect(out).toMatch(/federated:work denied: .*\(resource_not_in_scope\)$/mu);
    expect(out).toMatch(/sources: .* · federated:work offline \d+ ms, peer_unreachable · partial$/mu);
    expect(out).not.toContain("Your turn");
    expect(alive(gateways)).toEqual([]);
    expect(await demoFolders()).toHaveLength(1);

    const left = childrenOf(first);
    expect(left.length).toBeGreaterThanOrEqual(2);
    first.child.kill("SIGKILL");
    await until(async () => alive(left).length === 0 && (await demoFolders()).length === 0);
  }, 300_000);

  test("ends with 130 on Ctrl-C before its proof, and leaves nothing", async () => {
    const running = start(["demo"]);
    await until(() => childrenOf(running).length >= 3, running);
    const left = childrenOf(running);
    running.child.kill("SIGINT");
    expect(await running.ended).toMatchObject({ status: 130, out: "" });
    expect(alive(left)).toEqual([]);
    expect(await demoFolders()).toEqual([]);
  }, 60_000);

  test("fails, and leaves nothing, when its gateways die", async () => {
    const running = start(["demo", "--once"]);
    await until(() => childrenOf(running).length >= 3, running);
    const left = childrenOf(running);
    for (const pid of left.slice(1)) process.kill(pid, "SIGKILL");
    expect(await running.ended).toMatchObject({ status: 1, err: expect.stringContaining("demo_gateway_failed") });
    expect(alive(left)).toEqual([]);
    expect(await demoFolders()).toEqual([]);
  }, 60_000);
});
