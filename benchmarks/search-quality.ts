import { enroll, startGateway, type TestGateway, type TestUser } from "@mosaicstack/harness";
import { type KnownItem, knownItems, type Proposal, readProposals } from "./known-items.ts";

const AMONG = 10;

/** How good a ranking is, over all searches of one kind. One right answer each, so nDCG is 1 / log2(1 + its place). */
export interface QualityFigures {
  readonly kind: KnownItem["kind"] | "all";
  readonly searches: number;
  readonly rankings: readonly { readonly name: string; readonly mrr: number; readonly ndcg: number }[];
}

/** Of the rankings, in their order. */
export const RANKINGS = ["keywords: ts_rank alone", "one gateway", "two gateways, blended"] as const;

type Find = (query: string) => Promise<readonly string[]>;

/**
 * Searches the enhancement proposals for known items: by PostgreSQL's own full text and ts_rank, through one gateway that has
 * them all, and through one that has half and reads the other half from a peer.
 *
 * @param each of how many notes one is searched for
 */
export async function measureQuality(folder: string, each: number): Promise<readonly QualityFigures[]> {
  const notes = readProposals(folder);
  const open: TestGateway[] = [];
  try {
    const [whole, home, work] = await Promise.all(
      ["whole", "home", "work"].map(async (name) => {
        const gateway = await startGateway({ tier: "federated", name, deadlineMs: 30_000 });
        open.push(gateway);
        return gateway;
      }),
    );
    if (whole === undefined || home === undefined || work === undefined) throw new Error("a gateway is missing");
    const [reader, owner, colleague] = [
      await whole.addUser("Reader"),
      await home.addUser("Owner"),
      await work.addUser("Colleague"),
    ];
    // Titles tell the notes apart: ids differ from gateway to gateway.
    const named = notes.map((note, index) => ({ ...note, key: String(index) }));
    await add(reader, named);
    await add(
      owner,
      named.filter((_, index) => index % 2 === 0),
    );
    await add(
      colleague,
      named.filter((_, index) => index % 2 === 1),
    );
    await enroll(owner, work, {
      subject: colleague.email,
      scope: { resources: ["notes"], include_personal: true },
      peer: "work",
    });
    const finds: readonly Find[] = [
      keywords(whole, reader),
      (query) => search(reader, query, "local"),
      (query) => search(owner, query, "all"),
    ];
    return await score(knownItems(notes, each), finds);
  } finally {
    for (const gateway of open) await gateway.stop();
  }
}

async function add(user: TestUser, notes: readonly (Proposal & { readonly key: string })[]): Promise<void> {
  for (const note of notes) await user.api.json("POST", "/api/v1/notes", note);
}

async function search(user: TestUser, query: string, source: string): Promise<readonly string[]> {
  const parameters = new URLSearchParams({ q: query, source, resource: "notes", limit: String(AMONG) });
  const { rows, partial } = await user.api.json("GET", `/api/v1/search?${parameters}`);
  if (partial === true) throw new Error(`a gateway did not answer ${query}`);
  return (rows as { row: { key: string } }[]).map(({ row }) => row.key);
}

/** What somebody would write who has PostgreSQL and no more. */
function keywords({ store }: TestGateway, user: TestUser): Find {
  return async (query) => {
    const rows = await store.query<{ key: string }>(
      `select key from notes where owner_id = $1 and search_document @@ plainto_tsquery('english', $2)
       order by ts_rank(search_document, plainto_tsquery('english', $2)) desc, id desc limit ${AMONG}`,
      [user.id, query],
    );
    return rows.map(({ key }) => key);
  };
}

async function score(items: readonly KnownItem[], finds: readonly Find[]): Promise<readonly QualityFigures[]> {
  const places = new Map<KnownItem, readonly number[]>();
  for (const item of items) {
    const found = await Promise.all(finds.map(async (find) => (await find(item.query)).indexOf(String(item.note))));
    places.set(item, found);
  }
  const kinds = [...new Set(items.map(({ kind }) => kind)), "all" as const];
  return kinds.map((kind) => {
    const of = items.filter((item) => kind === "all" || item.kind === kind);
    const mean = (ranking: number, value: (place: number) => number): number =>
      of.reduce((sum, item) => {
        const place = places.get(item)?.[ranking] ?? -1;
        return sum + (place < 0 ? 0 : value(place));
      }, 0) / of.length;
    return {
      kind,
      searches: of.length,
      rankings: RANKINGS.map((name, index) => ({
        name,
        mrr: mean(index, (place) => 1 / (place + 1)),
        ndcg: mean(index, (place) => 1 / Math.log2(place + 2)),
      })),
    };
  });
}
