import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { openStepCaAuthority } from "@mosaicstack/certificate-authority";
import { newId } from "@mosaicstack/foundation";
import { createSigningRequest, readSigningRequest } from "@mosaicstack/federation-protocol";
import { type GatewayProcess, startGatewayProcess } from "../tests/federated/gateway-process.ts";
import { type PrivateServices, startServices } from "../tests/federated/real-gateway.ts";
import { optionsOf } from "../tests/federated/step-ca-authority.ts";
import { percentile } from "./figures.ts";
import { type Account, addTasks, grantTasks, setUp } from "./seed.ts";
import {
  keepAsking,
  openPeerSocket,
  prepareEnrollment,
  type RevocablePeer,
  type RevocationTimes,
  timeRevocations,
} from "./trust-peers.ts";
import { openRawSigner } from "../tests/federated/raw-sign.ts";

/** How soon certificates are had and how soon they are worth nothing, on step-ca, PostgreSQL and Valkey. */
export interface TrustFigures {
  /** The floor first. */
  readonly issuance: readonly IssuanceFigures[];
  readonly revocations: number;
  readonly revocation: readonly DelayFigures[];
  /** Requests of a peer that was not revoked, answered meanwhile. */
  readonly othersServed: number;
}

export interface IssuanceFigures {
  readonly name: string;
  /** One at a time, floor and candidates in turn. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  /** p50 beside the floor's. */
  readonly ratio: number;
  /** With {@link IN_FLIGHT} at a time. */
  readonly perSecond: number;
}

export interface DelayFigures {
  readonly name: string;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

/** What is beside the floor, for the aims. */
export const ENROLLMENT = "enrollment: POST /enroll, answered and recorded";
/** What the issue's second is about. */
export const LAST_SOCKET = "last of a peer's connections ended";
export const IN_FLIGHT = 8;
const LOAD_CONNECTIONS = 8;

/** Two replicas of one gateway, each a process, and their administrator. */
interface Replicas {
  readonly first: Account;
  readonly endpoints: readonly string[];
  stop(): Promise<void>;
}

/** @param counts.enrollments of each kind one at a time, and as many again several at a time */
export async function measureTrust(counts: {
  readonly enrollments: number;
  readonly revocations: number;
}): Promise<TrustFigures> {
  const services = await startServices({ stepCa: true });
  try {
    const replicas = await startReplicas(services);
    try {
      await addTasks(replicas.first, { count: 10, inTeams: false, phaseMs: 0 });
      return {
        issuance: await measureIssuance(services, replicas, counts.enrollments),
        ...(await measureRevocation(replicas, counts.revocations)),
      };
    } finally {
      await replicas.stop();
    }
  } finally {
    // One after the other: several at once look for their processes so busily that none is seen to end.
    for (const service of [services.postgresql, services.valkey, services.stepCa]) await service?.stop();
  }
}

async function startReplicas({ addresses }: PrivateServices): Promise<Replicas> {
  const secret = randomBytes(32).toString("hex");
  const { url = "", rootFile = "", provisionerKeyFile = "", provisionerPasswordFile = "" } = addresses.stepCa ?? {};
  const environment = {
    NODE_ENV: "production",
    MOSAIC_CERTIFICATE_AUTHORITY_URL: url,
    MOSAIC_CERTIFICATE_AUTHORITY_ROOT_FILE: rootFile,
    STEP_CA_PROVISIONER_KEY_FILE: provisionerKeyFile,
    STEP_CA_PROVISIONER_PASSWORD_FILE: provisionerPasswordFile,
  };
  const started: GatewayProcess[] = [];
  const stop = async (): Promise<void> => {
    for (const each of started) await each.stop();
  };
  try {
    // One after the other: the first prints the setup code and makes the tables.
    for (let replica = 0; replica < 2; replica += 1) {
      started.push(await startGatewayProcess({ services: addresses, secret, environment }));
    }
    const [first] = started;
    const code = started.findLast(({ setupCode }) => setupCode !== undefined)?.setupCode;
    return {
      first: await setUp(first?.people ?? "", `setup code  ${code ?? ""}`),
      endpoints: started.map(({ federation }) => federation),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function measureIssuance(
  services: PrivateServices,
  { first }: Replicas,
  count: number,
): Promise<IssuanceFigures[]> {
  if (services.stepCa === undefined) throw new Error("there is no step-ca");
  const options = await optionsOf(services.stepCa);
  const raw = await openRawSigner(options);
  const authority = await openStepCaAuthority(options);
  const request = await readSigningRequest((await createSigningRequest()).csrPem);
  if (request.kind === "malformed") throw new Error(request.reason);
  const issue = async (): Promise<void> => {
    const identity = { grantId: newId(), subjectUserId: newId() };
    await authority.issue({ kind: "client", csr: request.der, identity, notAfter: new Date(Date.now() + 86_400_000) });
  };
  /** Everything but the enrollment itself: grant, invite, key and signing request. */
  const prepare = async (number: number): Promise<Work[]> => {
    const prepared: Work[] = [];
    for (let made = 0; made < number; made += 1) {
      const enrollment = await prepareEnrollment(await grantTasks(first, "benchmark"));
      prepared.push(async () => void (await enrollment.redeem()));
    }
    return prepared;
  };
  const again = (work: Work) => async (number: number) => Array.from({ length: number }, () => work);
  const contenders = [
    { name: "floor: step-ca's raw /sign", prepare: again(() => raw.sign()) },
    { name: "the port: issued and checked", prepare: again(issue) },
    { name: ENROLLMENT, prepare },
  ];
  try {
    const lined = await Promise.all(
      contenders.map(async ({ name, prepare: make }) => ({
        name,
        works: await make(count + WARM_UP),
        ms: [] as number[],
      })),
    );
    for (let turn = 0; turn < count + WARM_UP; turn += 1) {
      for (const { works, ms } of lined) {
        const took = await timed(async () => await works[turn]?.());
        if (turn >= WARM_UP) ms.push(took);
      }
    }
    const rates: number[] = [];
    for (const { prepare: make } of contenders) rates.push(await ratePerSecond(await make(count)));
    const sorted = lined.map(({ name, ms }) => ({ name, ms: ms.toSorted((one, another) => one - another) }));
    const floor = percentile(sorted[0]?.ms ?? [], 50);
    return sorted.map(({ name, ms }, index) => ({
      name,
      p50Ms: percentile(ms, 50),
      p95Ms: percentile(ms, 95),
      ratio: percentile(ms, 50) / floor,
      perSecond: rates[index] ?? Number.NaN,
    }));
  } finally {
    raw.close();
  }
}

type Work = () => Promise<void>;
/** A gateway that has just started runs unoptimised code: what is measured is one that has worked for a while. */
const WARM_UP = 20;

async function ratePerSecond(works: readonly Work[]): Promise<number> {
  const left = works.values();
  const took = await timed(async () => {
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        for (const work of left) await work();
      }),
    );
  });
  return (works.length / took) * 1000;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function measureRevocation(
  { first, endpoints }: Replicas,
  count: number,
): Promise<Omit<TrustFigures, "issuance">> {
  const peers: RevocablePeer[] = [];
  for (let made = 0; made < count; made += 1) {
    const name = `revoked ${made}`;
    const keys = await (await prepareEnrollment(await grantTasks(first, name))).redeem();
    const grantId = await grantNamed(first, name);
    peers.push({ keys, revoke: () => ask(first, "POST", `/grants/${grantId}/revoke`) });
  }
  const other = await (await prepareEnrollment(await grantTasks(first, "not revoked"))).redeem();
  const bystanders = await Promise.all(
    Array.from({ length: LOAD_CONNECTIONS }, (_, index) =>
      openPeerSocket(endpoints[index % endpoints.length] ?? "", other),
    ),
  );
  const load = keepAsking(bystanders);
  const times = await timeRevocations(endpoints, peers);
  const outcomes = await load.stop();
  if ([...outcomes.keys()].some((outcome) => outcome !== 200))
    throw new Error("a peer that was not revoked was refused");
  const figures = (name: string, of: (each: RevocationTimes) => number): DelayFigures => {
    const values = times.map(of).toSorted((one, another) => one - another);
    return { name, p50Ms: percentile(values, 50), p95Ms: percentile(values, 95), maxMs: percentile(values, 100) };
  };
  return {
    revocations: times.length,
    revocation: [
      figures("the revoke, until it is answered", ({ answeredMs }) => answeredMs),
      figures("last request begun that was served", ({ lastServedMs }) => lastServedMs),
      figures(LAST_SOCKET, ({ lastSocketMs }) => lastSocketMs),
    ],
    othersServed: outcomes.get(200) ?? 0,
  };
}

async function grantNamed(account: Account, name: string): Promise<string> {
  const { grants } = (await ask(account, "GET", "/grants")) as { grants: { id: string; name: string }[] };
  const found = grants.find((grant) => grant.name === name);
  if (found === undefined) throw new Error(`there is no grant ${name}`);
  return found.id;
}

async function ask({ url, apiKey }: Account, method: "GET" | "POST", path: string): Promise<unknown> {
  const answer = await fetch(`${url}/api/v1/federation${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}` },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 400)}`);
  return JSON.parse(text);
}
