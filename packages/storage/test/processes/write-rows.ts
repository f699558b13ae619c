import { openAsBlob } from "node:fs";
import { newId } from "@mosaicstack/foundation";
import { openPglite, schema } from "../../src/index.ts";

// Run by tests as a process of its own, to be killed: writes until then, and prints the ids of what was committed.

const [dataDirectory = "", snapshotFile] = process.argv.slice(2);
const store = await openPglite({
  dataDirectory,
  ...(snapshotFile === undefined ? {} : { snapshot: await openAsBlob(snapshotFile) }),
});
process.stdout.write("open\n");
const filler = "x".repeat(3_000);
for (;;) {
  const [ownerId, first, second] = [newId(), newId(), newId()];
  const at = new Date();
  const row = { ownerId, title: "t", description: filler, createdAt: at, updatedAt: at };
  await store.transaction(async (db) => {
    await db.insert(schema.users).values({ id: ownerId, name: "Ada", email: `${ownerId}@example.org` });
    await db.insert(schema.tasks).values([
      { id: first, ...row },
      { id: second, ...row },
    ]);
  });
  process.stdout.write(`${first} ${second}\n`);
}
