import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { type AuthorityFiles, createAuthority } from "../../deploy/step-ca/create-authority.ts";
import { freePort, HOST } from "./free-port.ts";
import type { Server } from "./server.ts";
import type { Preparation, Service } from "./service.ts";
import { STEP_CA_VERSION, stepCaSoftware } from "./step-ca-software.ts";

export interface StepCaServer extends Server {
  readonly url: string;
  readonly rootPem: string;
  /** The files a gateway is given. */
  readonly gateway: AuthorityFiles["gateway"];
}

export const stepCa: Service = {
  name: "step-ca",
  variables: [
    "MOSAIC_TEST_STEP_CA_URL",
    "MOSAIC_TEST_STEP_CA_ROOT_FILE",
    "MOSAIC_TEST_STEP_CA_PROVISIONER",
    "MOSAIC_TEST_STEP_CA_PROVISIONER_KEY_FILE",
    "MOSAIC_TEST_STEP_CA_PASSWORD_FILE",
  ],
  endsOn: "SIGTERM",
  async prepare(directory, preparation) {
    const server = await prepareStepCa(directory, preparation);
    return {
      ...server,
      environment: {
        MOSAIC_TEST_STEP_CA_URL: server.url,
        MOSAIC_TEST_STEP_CA_ROOT_FILE: server.gateway.rootFile,
        MOSAIC_TEST_STEP_CA_PROVISIONER: server.gateway.provisioner,
        MOSAIC_TEST_STEP_CA_PROVISIONER_KEY_FILE: server.gateway.provisionerKeyFile,
        MOSAIC_TEST_STEP_CA_PASSWORD_FILE: server.gateway.provisionerPasswordFile,
      },
    };
  },
};

/** A new authority, with the configuration the project ships. */
export async function prepareStepCa(directory: string, { cache, report }: Preparation): Promise<StepCaServer> {
  const program = await stepCaSoftware(cache, report);
  const port = await freePort();
  const url = `https://${HOST}:${port}`;
  const { gateway } = await createAuthority({
    directory,
    hosts: [HOST, "localhost"],
    address: `${HOST}:${port}`,
    crlUrl: `${url}/1.0/crl`,
  });
  const rootPem = await readFile(gateway.rootFile, "utf8");
  return {
    name: "step-ca",
    description: `step-ca ${STEP_CA_VERSION}`,
    directory,
    host: HOST,
    port,
    url,
    rootPem,
    gateway,
    program,
    parameters: ["--password-file", "secrets/password", "config/ca.json"],
    // Otherwise it looks in the user's home.
    environment: { STEPPATH: directory },
    endsOn: stepCa.endsOn,
    answers: () => isHealthy(`${url}/health`, rootPem),
  };
}

function isHealthy(url: string, ca: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, agent: false, timeout: 1000 }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode === 200));
    });
    asked.once("timeout", () => asked.destroy(new Error("no answer within a second")));
    asked.once("error", reject).end();
  });
}
