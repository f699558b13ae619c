import { searchable, type SearchableResource } from "@mosaicstack/resources";
import type { Store } from "@mosaicstack/storage";
import type { EmbeddingProvider } from "./provider.ts";

/** Texts of one request, and the length each is cut to: what usual models read of a text at all. */
const BATCH = 64;
const MAX_TEXT = 6_000;

const embedded = searchable.filter(({ search }) => search.embeds);

interface WaitingRow {
  readonly id: string;
  readonly space: string;
  readonly updated: string;
  readonly text: string;
}

/**
 * Has every row embedded that lacks a vector of this model or was changed since, the newest first, and drops the vectors of
 * rows that are gone and of other models. Off the request path, and safe to run twice.
 *
 * @returns how many rows were embedded
 * @throws EmbeddingFailure where the provider fails for longer than a retry helps; what was embedded by then stays
 */
export async function embedRows(store: Store, provider: EmbeddingProvider, signal: AbortSignal): Promise<number> {
  await forgetOthers(store, provider.model);
  let count = 0;
  for (const resource of embedded) {
    for (let rows = await waiting(store, resource, provider.model); rows.length > 0 && !signal.aborted;) {
      const vectors = await provider.embedPatiently(
        rows.map(({ text }) => text),
        signal,
      );
      await keep(store, resource, provider.model, rows, vectors);
      count += rows.length;
      rows = rows.length < BATCH ? [] : await waiting(store, resource, provider.model);
    }
  }
  return count;
}

async function waiting(store: Store, { name, from, search }: SearchableResource, model: string): Promise<WaitingRow[]> {
  const { title, text } = search;
  const whole = text === undefined ? `r.${title}` : `r.${title} || E'\\n\\n' || r.${text}`;
  // The text of the instant, with all its digits: what is compared with the row's own later.
  return await store.query<WaitingRow>(
    `select r.id::text, r.${from.space}::text as space, r.updated_at::text as updated, left(${whole}, ${MAX_TEXT}) as text
     from ${from.table} r
     left join embeddings e on e.resource = $1::text and e.row_id = r.id and e.model = $2::text
     where e.row_id is null or e.updated_at <> r.updated_at
     order by r.id desc limit ${BATCH}`,
    [name, model],
  );
}

/** With the instant of the text that was embedded: a row that was changed meanwhile is still waiting. */
async function keep(
  store: Store,
  { name, from }: SearchableResource,
  model: string,
  rows: readonly WaitingRow[],
  vectors: readonly (readonly number[])[],
): Promise<void> {
  await store.query(
    `insert into embeddings (resource, row_id, space_id, model, embedding, updated_at)
     select $1::text, r.id, r.${from.space}, $2::text, made.embedding::vector, made.updated
     from unnest($3::uuid[], $4::text[], $5::timestamptz[]) as made (id, embedding, updated)
     join ${from.table} r on r.id = made.id
     on conflict (resource, row_id, model)
     do update set embedding = excluded.embedding, updated_at = excluded.updated_at, space_id = excluded.space_id`,
    [
      name,
      model,
      rows.map(({ id }) => id),
      vectors.map((vector) => `[${vector.join(",")}]`),
      rows.map(({ updated }) => updated),
    ],
  );
}

async function forgetOthers(store: Store, model: string): Promise<void> {
  await store.query("delete from embeddings where model <> $1::text", [model]);
  for (const { name, from } of embedded) {
    await store.query(
      `delete from embeddings e where e.resource = $1::text and not exists (select from ${from.table} r where r.id = e.row_id)`,
      [name],
    );
  }
}
