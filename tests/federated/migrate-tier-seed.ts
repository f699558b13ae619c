import { newId } from "@mosaicstack/foundation";
import { schema, type Store } from "@mosaicstack/storage";

const NOW = new Date("2026-04-05T06:07:08.009Z");

/** What COPY text, quoting and encodings trip over. */
export const AWKWARD_TEXTS: readonly string[] = [
  "",
  "\\N",
  "\\.",
  "a\tb\nc\r\nd\\e\bf\vg",
  'quotes " and \' and $1 and $, (1,"2")',
  "Łódź 設計 🧵 \u202e\u0007 e\u0301",
  "x".repeat(100_000),
  "trailing space ",
];

/** Rows in every table, and in none that the gateway keeps for a moment only without one in it too. */
export async function seedEveryTable(store: Store, options: { readonly tasks: number }): Promise<void> {
  const { db } = store;
  const times = { createdAt: NOW, updatedAt: NOW };
  const [ada, bob] = [newId(), newId()];
  const team = newId();
  await db.insert(schema.users).values([
    { id: ada, name: "Ada", email: "ada@example.org", role: "admin", banExpires: NOW, ...times },
    { id: bob, name: "Bob \\N", email: "bob@example.org", image: "", ...times },
  ]);
  await db
    .insert(schema.accounts)
    .values({ id: newId(), accountId: ada, providerId: "credential", userId: ada, password: "hash" });
  await db.insert(schema.apiKeys).values({ id: newId(), key: "hash", referenceId: ada, remaining: 3, ...times });
  await db.insert(schema.teams).values({ id: team, name: "Platform" });
  await db.insert(schema.teamMembers).values([
    { teamId: team, userId: ada, role: "owner" },
    { teamId: team, userId: bob },
  ]);
  await seedTasks(store, ada, options.tasks);
  const notes = AWKWARD_TEXTS.map((body, index) => ({
    id: newId(),
    ownerId: bob,
    teamId: index % 2 === 0 ? team : null,
    key: `note ${index}`,
    title: body.slice(0, 50),
    body,
    properties: {
      body,
      nested: [null, 1.5, { a: "\\u0041" }],
    },
    ...times,
  }));
  await db.insert(schema.notes).values(notes);
  // A team's row whose author is gone.
  await db.insert(schema.memories).values({ id: newId(), ownerId: null, teamId: team, content: "kept", ...times });
  const sealed = { kind: "token", sealedSecret: "v1.sealed.AAAA\\x00==", ...times };
  await db.insert(schema.credentials).values({ id: newId(), ownerId: ada, name: "forge", ...sealed });
  await db
    .insert(schema.certificateAuthorities)
    .values({ id: newId(), rootPem: "-----BEGIN\n", sealedKey: "v1.key", createdAt: NOW });
  const grant = newId();
  const rights = { name: "Home", subjectUserId: bob, scope: { resources: ["tasks"] }, createdBy: ada };
  await db.insert(schema.federationGrants).values({ id: grant, ...rights, status: "active", createdAt: NOW });
  const certificate = {
    generation: 1,
    spki: "spki",
    pem: "pem",
    chainPem: ['a,\n"b"', "NULL", ""],
    notAfter: NOW,
    issuedAt: NOW,
  };
  await db.insert(schema.federationCertificates).values({ serial: "0a1b", grantId: grant, ...certificate });
  await db
    .insert(schema.federationGrantScopes)
    .values({ id: newId(), grantId: grant, scope: { resources: ["tasks"] }, changedBy: ada, changedAt: NOW });
  await db
    .insert(schema.federationRevocations)
    .values({ serial: "0a1b", grantId: grant, reason: "cessationOfOperation", notAfter: NOW, revokedAt: NOW });
  await db
    .insert(schema.federationAuditChain)
    .values({ id: newId(), position: 3, hash: "hash", mac: "mac", sealedKey: "v1.chain", at: NOW });
  await db
    .insert(schema.federationAuditLog)
    .values({ id: newId(), at: NOW, side: "serving", event: "enrollment", outcome: "ok", details: { serial: "0a1b" } });
  await db
    .insert(schema.federationEnrollmentTokens)
    .values({ id: newId(), grantId: grant, tokenHash: "t", expiresAt: NOW, createdAt: NOW });
  const peer = {
    name: "work",
    enrollUrl: "https://work.example",
    tokenHash: "h",
    caFingerprint: "f",
    sealedKey: "v1.peer",
  };
  await db.insert(schema.federationPeers).values({ id: newId(), userId: ada, ...peer, ...times });
  await db.insert(schema.sessions).values({ id: newId(), token: "session-token", userId: ada, expiresAt: NOW });
  await db.insert(schema.verifications).values({ id: newId(), identifier: "setup", value: "code", expiresAt: NOW });
  await db
    .insert(schema.idempotencyKeys)
    .values({ userId: ada, key: "k", requestHash: "r", resource: "tasks", resourceId: newId(), createdAt: NOW });
}

const BATCH = 1_000;

async function seedTasks({ db }: Store, ownerId: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += BATCH) {
    const length = Math.min(BATCH, count - from);
    const rows = Array.from({ length }, (_, offset) => ({
      id: newId(),
      ownerId,
      key: `T-${from + offset}`,
      title: `Task ${from + offset}`,
      dueAt: offset % 3 === 0 ? NOW : null,
      description: "Paragraph. ".repeat(offset % 40),
      properties: { priority: offset % 5 },
      createdAt: NOW,
      updatedAt: NOW,
    }));
    await db.insert(schema.tasks).values(rows);
  }
}
