import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { testSnapshotFile } from "@mosaicstack/harness";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openPglite, type Store } from "../src/index.ts";
import { startChild } from "./processes/child-process.ts";

let dataDirectory: string;
beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "mosaic-durability-"));
});
afterEach(() => rm(dataDirectory, { recursive: true, force: true }));

/** Both ways through the table must tell the same: a torn write shows as a difference or as an error. */
async function expectSound(store: Store): Promise<void> {
  const [row] = await store.query<{ heap: number; index: number; odd: number; orphans: number }>(
    `select count(*)::int4 as heap,
       (select count(*)::int4 from tasks where space_id > '00000000-0000-0000-0000-000000000000') as index,
       (select count(*)::int4 from (select owner_id from tasks group by owner_id having count(*) <> 2) half) as odd,
       (select count(*)::int4 from users where id not in (select owner_id from tasks)) as orphans
     from tasks where length(description) = 3000`,
    [],
  );
  expect(row).toEqual({ heap: row?.index, index: row?.heap, odd: 0, orphans: 0 });
  await store.db.execute("vacuum analyze tasks");
  await store.db.execute("reindex table tasks");
}

test("what was committed outlives SIGKILL in mid-write, round after round", { timeout: 120_000 }, async () => {
  const acknowledged: string[] = [];
  const snapshotFile = await testSnapshotFile();
  for (let round = 0; round < 3; round += 1) {
    const writer = startChild("./write-rows.ts", [dataDirectory, snapshotFile]);
    expect(await writer.nextLine()).toBe("open");
    // Another moment each round, so that the kill meets another part of a write.
    for (let line = 0; line < 10; line += 1) acknowledged.push(await writer.nextLine());
    await sleep(20 + round * 17);
    acknowledged.push(...(await writer.kill()));

    const store = await openPglite({ dataDirectory });
    const kept = await store.query<{ id: string }>("select id from tasks", []);
    const ids = new Set(kept.map(({ id }) => id));
    const lost = acknowledged.flatMap((line) => line.split(" ")).filter((id) => !ids.has(id));
    expect(lost).toEqual([]);
    await expectSound(store);
    await store.close();
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(30);
});

test("a first start that is killed leaves nothing that hinders the next", { timeout: 120_000 }, async () => {
  for (const delayMs of [800, 1_500]) {
    const writer = startChild("./write-rows.ts", [dataDirectory]);
    await sleep(delayMs);
    await writer.kill();
  }
  const store = await openPglite({ dataDirectory });
  await expectSound(store);
  await store.close();
  // A kill just before the lock was had leaves the folder that was to become it, for a minute.
  expect((await readdir(dataDirectory)).filter((name) => !name.startsWith("lock."))).toEqual(["database"]);
});
