import { Readable } from "node:stream";
import type { Peers } from "@mosaicstack/federation-client";
import { isId } from "@mosaicstack/foundation";
import { instant } from "@mosaicstack/resources";
import {
  type AuditFilter,
  type AuditReader,
  exportAudit,
  listAudit,
  type NamedAuditRow,
  type Store,
  verifyAudit,
} from "@mosaicstack/storage";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { refusals } from "../http/answers.ts";
import { clamp, cursor, id, limit } from "../http/parameters.ts";
import { gatewayProblem } from "../problems.ts";
import { decodeCursor, encodeCursor } from "../reading/cursor.ts";
import { LOCAL_SOURCE } from "../reading/local-reader.ts";
import type { Audit } from "./audit.ts";
import {
  AUDIT_CSV_HEADING,
  auditCsv,
  auditEntryAnswer,
  auditEntryJson,
  auditHeadAnswer,
  auditJsonLines,
  auditVerificationAnswer,
  auditVerificationJson,
  headJson,
} from "./audit-answers.ts";

const word = z.string().min(1).max(200).optional();

const filters = {
  side: z.enum(["serving", "querying"]).optional(),
  event: word.describe("`request`, `enrollment`, `renewal`, `grant.revoked` …"),
  grant: id.optional().describe("A grant's id"),
  peer: word.describe("A peer's name, or its id"),
  user: id.optional().describe("Whose data, or who did it"),
  outcome: word.describe("`ok`, the code of a refusal, or `refused`: all but `ok`"),
  since: instant.optional().describe("From then on"),
  until: instant.optional().describe("Before then"),
  request_id: id.optional(),
};

const listQuery = z.strictObject({ ...filters, limit, cursor });
const exportQuery = z.strictObject({ ...filters, format: z.enum(["jsonl", "csv"]).default("jsonl") });
const verifyQuery = z.strictObject({
  expect: z
    .string()
    .regex(/^[1-9]\d{0,14}:[\w-]{43}$/, "must be <position>:<hash>, as a list or the log gives it")
    .optional()
    .describe("A head noted earlier: `<position>:<hash>`"),
});

/** The audit, for those whose it is: see `listAudit` for who may see what. */
export function auditRoutes(
  untyped: FastifyInstance,
  {
    audit,
    store,
    peers,
  }: { readonly audit: Audit; readonly store: Pick<Store, "db">; readonly peers: Pick<Peers, "list"> },
): void {
  const app = untyped.withTypeProvider<ZodTypeProvider>();
  const config = { access: "user" } as const;
  const tags = ["federation"];
  const path = "/api/v1/federation/audit";
  let isVerifying = false;

  async function filterOf(reader: AuditReader, query: z.output<typeof exportQuery> | z.output<typeof listQuery>) {
    const { side, event, grant, peer, user, outcome, since, until, request_id: requestId } = query;
    const peerId = peer === undefined ? undefined : await peerIdOf(reader, peer);
    const filter: { [Name in keyof AuditFilter]: AuditFilter[Name] | undefined } = {
      side,
      event,
      grantId: grant,
      peerId,
      userId: user,
      outcome,
      since,
      until,
      requestId,
    };
    return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as AuditFilter;
  }

  /** Of a peer that is there by its name; of one that was removed by its id. An unknown name is no peer's. */
  async function peerIdOf({ userId }: AuditReader, peer: string): Promise<string> {
    if (isId(peer)) return peer;
    return (await peers.list(userId)).find(({ name }) => name === peer)?.id ?? NOBODY;
  }

  app.get(
    path,
    {
      config,
      schema: {
        summary: "List audit entries, newest first",
        description:
          "An admin sees every entry of what this gateway served; anybody the entries of grants over their own data, and of their own peers.",
        tags,
        querystring: listQuery,
        response: {
          200: z.object({
            rows: z.array(auditEntryAnswer),
            next_cursor: z.string().nullable(),
            limit: z.int(),
            limit_clamped: z.literal(true).optional(),
            head: auditHeadAnswer,
          }),
          ...refusals,
        },
      },
    },
    async (request) => {
      const reader = readerOf(request);
      const position = request.query.cursor;
      const before = position === undefined ? undefined : (decodeCursor(position)[LOCAL_SOURCE] ?? undefined);
      const asked = clamp(request.query.limit);
      const page = { limit: asked.limit, ...(before === undefined ? {} : { before }) };
      const { entries, more } = await listAudit(store, reader, await filterOf(reader, request.query), page);
      const last = entries.at(-1);
      return {
        rows: entries.map(auditEntryJson),
        next_cursor: more && last !== undefined ? encodeCursor({ [LOCAL_SOURCE]: last.entry.id }) : null,
        limit: asked.limit,
        ...(asked.clamped ? { limit_clamped: true as const } : {}),
        head: reader.isAdmin ? headJson(await audit.head()) : null,
      };
    },
  );

  app.get(
    `${path}/export`,
    {
      config,
      schema: {
        summary: "Export audit entries, oldest first",
        description:
          "All that the filters let through, as JSON lines or CSV (RFC 4180). A CSV cell that a spreadsheet would calculate begins with an apostrophe.",
        tags,
        querystring: exportQuery,
        response: {
          200: {
            description: "The entries",
            content: { "application/x-ndjson": { schema: z.any() }, "text/csv": { schema: z.any() } },
          },
          ...refusals,
        },
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const batches = exportAudit(store, reader, await filterOf(reader, request.query));
      // Before the answer begins, so that a database that is away is still a problem of its own.
      const first = await batches.next();
      const isCsv = request.query.format === "csv";
      reply.headers({
        "content-type": isCsv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson; charset=utf-8",
        "content-disposition": `attachment; filename="mosaic-audit.${request.query.format}"`,
      });
      return await reply.send(Readable.from(written(first, batches, isCsv), { objectMode: false }));
    },
  );

  app.get(
    `${path}/verify`,
    {
      config: { access: "admin" },
      schema: {
        summary: "Verify every audit entry",
        description:
          "Whether each is as it was written, and which is not. What was put back whole, its head too, is found only by `expect`.",
        tags,
        querystring: verifyQuery,
        response: { 200: auditVerificationAnswer, ...refusals },
      },
    },
    async (request, reply) => {
      if (isVerifying) throw gatewayProblem("audit_verification_running");
      const [position, hash] = request.query.expect?.split(":") ?? [];
      const expected =
        position === undefined || hash === undefined ? {} : { expect: { position: Number(position), hash } };
      const gone = new AbortController();
      reply.raw.once("close", () => gone.abort());
      isVerifying = true;
      try {
        return auditVerificationJson(
          await verifyAudit({ store, chain: audit.chain, signal: gone.signal, ...expected }),
        );
      } finally {
        isVerifying = false;
      }
    },
  );
}

/** No entry's: what is asked for by a name that nobody has. */
const NOBODY = "00000000-0000-0000-0000-000000000000";

function readerOf({ principal }: FastifyRequest): AuditReader {
  return { userId: principal.userId, isAdmin: principal.role === "admin" };
}

async function* written(
  first: IteratorResult<readonly NamedAuditRow[], void>,
  batches: AsyncGenerator<readonly NamedAuditRow[], void, undefined>,
  isCsv: boolean,
): AsyncGenerator<string, void, undefined> {
  if (isCsv) yield AUDIT_CSV_HEADING;
  if (first.done === true) return;
  const format = isCsv ? auditCsv : auditJsonLines;
  yield format(first.value);
  for await (const batch of batches) yield format(batch);
}
