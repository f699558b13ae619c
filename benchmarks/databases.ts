import { openPglite, openPostgres, type PostgresAddress, type Store } from "@mosaicstack/storage";
import pg from "pg";

/** Where a process of the benchmark has its rows. Passed to it as JSON. */
export type DatabasePlace =
  | { readonly engine: "pglite"; readonly dataDirectory: string }
  | { readonly engine: "postgres"; readonly url: string };

/** Opens it as a federated gateway does. */
export async function openPlace(place: DatabasePlace): Promise<Store> {
  if (place.engine === "pglite") return await openPglite({ dataDirectory: place.dataDirectory, vector: true });
  return await openPostgres({ ...addressOf(place.url), vector: true });
}

/** A URL taken apart as the gateway's own options are. */
export function addressOf(text: string): PostgresAddress {
  const url = new URL(text);
  return {
    host: url.hostname,
    port: Number(url.port || 5432),
    name: url.pathname.slice(1),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
  };
}

/** An empty database of its own on a server. Whoever makes it drops it. */
export async function makeDatabase(server: string, name: string): Promise<{ url: string; drop(): Promise<void> }> {
  const full = `mosaic_bench_${name}_${process.pid}`;
  await run(server, `create database ${full}`);
  const url = new URL(server);
  url.pathname = `/${full}`;
  return { url: url.href, drop: () => run(server, `drop database ${full} with (force)`) };
}

/** The server's own words for what it is. */
export async function versionOf(server: string): Promise<string> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>("show server_version");
    return `PostgreSQL ${rows[0]?.server_version ?? ""}`;
  } finally {
    await client.end();
  }
}

async function run(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
