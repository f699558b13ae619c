import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../scripts/services/free-port.ts";
import { diagnose, type DoctorCheck } from "./doctor-command.ts";
import { newServerAuthority } from "./server-certificate.ts";
import { openPrivateStepCa, type PrivateStepCa } from "./step-ca-authority.ts";

let stepCa: PrivateStepCa;
let folder: string;
beforeAll(async () => {
  ({ stepCa } = await openPrivateStepCa());
  folder = await mkdtemp(join(tmpdir(), "mosaic-doctor-step-ca-"));
});
afterAll(async () => {
  await stepCa.stop();
  await rm(folder, { recursive: true });
});

/** What the doctor says of the authority of a gateway that is configured for this step-ca, and is down. */
async function examined(change: Readonly<Record<string, string>> = {}): Promise<readonly DoctorCheck[]> {
  const { rootFile, provisionerKeyFile, provisionerPasswordFile } = stepCa.gateway;
  const { checks, printed } = await diagnose({
    MOSAIC_TIER: "federated",
    MOSAIC_EMBEDDED: "true",
    MOSAIC_DATA_DIRECTORY: join(folder, "data"),
    MOSAIC_HTTP_PORT: String(await freePort()),
    MOSAIC_CERTIFICATE_AUTHORITY_URL: stepCa.url,
    MOSAIC_CERTIFICATE_AUTHORITY_ROOT_FILE: rootFile,
    STEP_CA_PROVISIONER_KEY_FILE: provisionerKeyFile,
    STEP_CA_PROVISIONER_PASSWORD_FILE: provisionerPasswordFile,
    ...change,
  });
  expect(printed).not.toContain((await readFile(provisionerPasswordFile, "utf8")).trim());
  return checks.filter(({ name }) => /authority|provisioner/u.test(name));
}

const faults = (checks: readonly DoctorCheck[]) =>
  checks.map(({ name, status, code, remedy }) => [name, status, code, typeof remedy]);

/** With its configuration changed, and back as it was afterwards. */
async function reconfigured(
  change: (provisioners: { name: string; claims: Record<string, unknown> }[]) => void,
  work: () => Promise<void>,
): Promise<void> {
  const path = join(stepCa.directory, "config/ca.json");
  const shipped = await readFile(path, "utf8");
  const configuration = JSON.parse(shipped) as { authority: { provisioners: Parameters<typeof change>[0] } };
  change(configuration.authority.provisioners);
  await writeFile(path, JSON.stringify(configuration));
  await stepCa.restart();
  try {
    await work();
  } finally {
    await writeFile(path, shipped);
    await stepCa.restart();
  }
}

test("a step-ca as the project ships it is well: reached, of the configured root, with both provisioners", async () => {
  const checks = await examined();
  expect(checks.map(({ name, status }) => [name, status])).toEqual([
    ["certificate authority", "ok"],
    ["provisioner mosaic", "ok"],
    ["provisioner mosaic-listener", "ok"],
  ]);
  expect(checks[0]).toMatchObject({ detail: expect.stringContaining(stepCa.url), latency_ms: expect.any(Number) });
});

test("one that is not there is ca_unreachable", async () => {
  const away = `https://127.0.0.1:${await freePort()}`;
  expect(faults(await examined({ MOSAIC_CERTIFICATE_AUTHORITY_URL: away }))).toEqual([
    ["certificate authority", "fault", "ca_unreachable", "string"],
  ]);
});

test("one of another root than the configured one is authority_root_differs", async () => {
  const other = join(folder, "other-root.pem");
  await writeFile(other, (await newServerAuthority()).root);
  expect(faults(await examined({ MOSAIC_CERTIFICATE_AUTHORITY_ROOT_FILE: other }))).toEqual([
    ["certificate authority", "fault", "authority_root_differs", "string"],
  ]);
});

test("a root file that is not there is the configuration's fault", async () => {
  expect(faults(await examined({ MOSAIC_CERTIFICATE_AUTHORITY_ROOT_FILE: join(folder, "none.pem") }))).toEqual([
    ["certificate authority", "fault", "config_invalid", "string"],
  ]);
});

test("another key than the provisioners' is provisioner_key_differs, of each", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = JSON.stringify(privateKey.export({ format: "jwk" }));
  const none = { STEP_CA_PROVISIONER_KEY_FILE: "", STEP_CA_PROVISIONER_PASSWORD_FILE: "" };
  expect(faults(await examined({ ...none, STEP_CA_PROVISIONER_KEY: key }))).toEqual([
    ["certificate authority", "ok", undefined, "undefined"],
    ["provisioner mosaic", "fault", "provisioner_key_differs", "string"],
    ["provisioner mosaic-listener", "fault", "provisioner_key_differs", "string"],
  ]);
});

test("a key that its password does not open is ca_key_unusable", async () => {
  const wrong = { STEP_CA_PROVISIONER_PASSWORD_FILE: "", STEP_CA_PROVISIONER_PASSWORD: "another password" };
  expect(faults(await examined(wrong))[1]).toEqual(["provisioners", "fault", "ca_key_unusable", "string"]);
});

test("a provisioner that is missing, and one that renews by itself, are told of", async () => {
  await reconfigured(
    (provisioners) => {
      provisioners.pop();
      Object.assign(provisioners[0]?.claims ?? {}, { disableRenewal: false });
    },
    async () => {
      expect(faults(await examined())).toEqual([
        ["certificate authority", "ok", undefined, "undefined"],
        ["provisioner mosaic", "warning", "provisioner_renews", "string"],
        ["provisioner mosaic-listener", "fault", "provisioner_missing", "string"],
      ]);
    },
  );
});
