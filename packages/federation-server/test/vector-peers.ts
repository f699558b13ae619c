import { schema } from "@mosaicstack/storage";
import type { Agent } from "undici";
import { issueClient, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

const { credentials, federationCertificates, federationGrants, notes, tasks, teamMembers, teams, users } = schema;

/** A request and its answer, as tests/vectors/protocol has them. Ids and times are fixed; no key, token or certificate is in one. */
export interface ProtocolVector {
  readonly description: string;
  /** Which of the seeded grants' certificates is presented. */
  readonly grant: keyof typeof grantIds;
  /** `text` in place of `json` where the body is not JSON. */
  readonly request: {
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly json?: unknown;
    readonly text?: string;
  };
  readonly response: VectorResponse;
}

export interface VectorResponse {
  readonly status: number;
  /** Those that say something; not `date`, `connection` and the like. */
  readonly headers: Readonly<Record<string, string>>;
  readonly json: unknown;
}

const id = (number: number): string => `01980000-0000-7000-8000-${String(number).padStart(12, "0")}`;
const people = { ada: id(1), grace: id(2) };
const spaces = { compilers: id(11), secret: id(12), foreign: id(13) };

/** `work`: the compilers' rows and Ada's own, three a page, no notes. */
const grantIds = { work: id(21), suspended: id(22), busy: id(23), revoked: id(24), expired: id(25) } as const;
/** What a grant is once its connection is open, in place of active. */
const ENDS = {
  suspended: "status = 'suspended'",
  revoked: "status = 'revoked', revoked_at = now()",
  expired: "status = 'expired'",
} as const;
const scope = {
  resources: ["tasks", "notes", "credentials"],
  excluded_resources: ["notes"],
  include_teams: [spaces.compilers],
  include_personal: true,
  max_rows_per_query: 3,
};

const SAID = [
  "content-type",
  "x-request-id",
  "retry-after",
  "ratelimit-limit",
  "ratelimit-remaining",
  "ratelimit-reset",
];

/** A serving gateway in which everything a peer can see is the same each time, and a connection for each grant. */
export async function startVectorGateway() {
  const gateway = await startServingGateway();
  await seed(gateway);
  const agents = new Map<string, Agent>();
  for (const [name, grantId] of Object.entries(grantIds)) agents.set(name, await admitted(gateway, name, grantId));
  return {
    gateway,
    async ask({ grant, request }: Pick<ProtocolVector, "grant" | "request">): Promise<VectorResponse> {
      const agent = agents.get(grant);
      if (agent === undefined) throw new Error(`no grant is called ${grant}`);
      // Its one request a minute is used up just before, so that the wait it is told is the same each time.
      if (grant === "busy") await gateway.ask(agent, "capabilities", {});
      const { status, headers, json } = await gateway.ask(
        agent,
        request.path,
        request.text ?? request.json,
        request.headers,
      );
      const said = SAID.flatMap((name) => (typeof headers[name] === "string" ? [[name, headers[name]] as const] : []));
      return { status, headers: Object.fromEntries(said), json };
    },
    stop: () => gateway.stop(),
  };
}

async function seed({ store, sealer }: ServingGateway): Promise<void> {
  const { db } = store;
  for (const [name, userId] of Object.entries(people)) {
    await db.insert(users).values({ id: userId, name, email: `${name}@example.test` });
  }
  for (const [name, teamId] of Object.entries(spaces)) {
    await db.insert(teams).values({ id: teamId, name, createdAt: at(0), updatedAt: at(0) });
    if (name !== "foreign") await db.insert(teamMembers).values({ teamId, userId: people.ada });
  }
  const task = (number: number, title: string, values: Partial<typeof tasks.$inferInsert> = {}) => ({
    id: id(number),
    ownerId: people.ada,
    title,
    createdAt: at(number),
    updatedAt: at(number),
    ...values,
  });
  await db.insert(tasks).values([
    task(101, "Order a new chair"),
    task(102, "Describe the parser", {
      ownerId: people.grace,
      teamId: spaces.compilers,
      key: "C-7",
      status: "in_progress",
    }),
    task(103, "Plan the takeover", { teamId: spaces.secret }),
    task(104, "Somebody else's parser", { ownerId: people.grace }),
    task(105, "Release the parser", {
      teamId: spaces.compilers,
      key: "C-8",
      dueAt: at(9000),
      description: "Tag it, then tell everybody.",
      properties: { priority: 2, labels: ["release"] },
    }),
    task(106, "Book the train", { status: "done" }),
  ]);
  await db
    .insert(notes)
    .values({ id: id(201), ownerId: people.ada, title: "A note", body: "…", createdAt: at(1), updatedAt: at(1) });
  const sealedSecret = sealer.seal("never sent", { table: "credentials", column: "sealed_secret", rowId: id(301) });
  await db.insert(credentials).values({
    id: id(301),
    ownerId: people.ada,
    name: "deploy",
    kind: "token",
    sealedSecret,
    createdAt: at(301),
    updatedAt: at(301),
  });
}

function at(minutes: number): Date {
  return new Date(Date.UTC(2026, 0, 5, 8, minutes));
}

async function admitted(gateway: ServingGateway, name: string, grantId: string): Promise<Agent> {
  const { store, authority } = gateway;
  await store.db.insert(federationGrants).values({
    id: grantId,
    name,
    subjectUserId: people.ada,
    scope,
    status: "active",
    createdBy: people.ada,
    createdAt: at(0),
    activatedAt: at(0),
    expiresAt: new Date("2030-01-01T00:00:00Z"),
    ...(name === "busy" ? { requestsPerMinute: 1 } : {}),
  });
  const issued = await issueClient(authority, { grantId, subjectUserId: people.ada });
  const { serial, spki, cert: pem, notAfter } = issued;
  const row = { serial, spki, pem, notAfter, grantId, generation: 1, issuedAt: new Date() };
  await store.db.insert(federationCertificates).values(row);
  const agent = gateway.agent(issued);
  const end = name in ENDS ? ENDS[name as keyof typeof ENDS] : undefined;
  if (end !== undefined) {
    await gateway.ask(agent, "capabilities", {});
    await store.db.execute(`update federation_grants set ${end} where id = '${grantId}'`);
  }
  return agent;
}
