import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COMMAND = join(import.meta.dirname, "../../apps/cli/bin/mosaic.js");

/** One line of what the doctor prints with --json. */
export interface DoctorCheck {
  readonly name: string;
  readonly status: "ok" | "warning" | "fault" | "skipped";
  readonly detail: string;
  readonly code?: string;
  readonly remedy?: string;
  readonly took_ms?: number;
  readonly host?: string;
  readonly port?: number;
  readonly latency_ms?: number;
}

export interface Diagnosis {
  /** The exit status. */
  readonly status: number | null;
  readonly overall: string;
  readonly tier: string | null;
  readonly checks: readonly DoctorCheck[];
  /** All it printed, standard error too. */
  readonly printed: string;
}

export interface Printed {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `mosaic gateway doctor` as a process of its own, with this environment and nothing of ours but the PATH. */
export async function runDoctor(
  environment: Readonly<Record<string, string>>,
  words: readonly string[] = [],
): Promise<Printed> {
  const folder = await mkdtemp(join(tmpdir(), "mosaic-doctor-"));
  try {
    return await new Promise<Printed>((resolve, reject) => {
      const child = spawn(process.execPath, [COMMAND, "gateway", "doctor", ...words], {
        cwd: folder,
        env: { PATH: process.env["PATH"], HOME: folder, TMPDIR: tmpdir(), ...environment },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let [out, err] = ["", ""];
      child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
      child.on("error", reject);
      child.on("close", (status) => resolve({ status, out, err }));
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same with --json, read. */
export async function diagnose(environment: Readonly<Record<string, string>>): Promise<Diagnosis> {
  const { status, out, err } = await runDoctor(environment, ["--json"]);
  if (out === "") throw new Error(`the doctor printed nothing and ended with ${status}: ${err}`);
  const { data } = JSON.parse(out) as { data: Omit<Diagnosis, "status" | "printed"> };
  return { status, ...data, printed: out + err };
}
