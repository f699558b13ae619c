import { openTestStore } from "@mosaicstack/harness";
import { newId } from "@mosaicstack/foundation";
import { describe, expect, test } from "vitest";
import { guardedTablesContract } from "./guarded-tables-contract.ts";
import { peerReaderContract } from "./peer-reader-contract.ts";

describe("PGlite", () => {
  peerReaderContract(() => openTestStore({ vector: true }));
  guardedTablesContract(() => openTestStore({ vector: true }));

  test("a store of a tier without federation has no such role, and refuses a peer's read", async () => {
    const store = await openTestStore();
    const bounds = { subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] } as const;
    const read = store.readAsPeer(bounds, (walled) => walled.query("select 1", []));
    await expect(read).rejects.toMatchObject({ code: "peer_reader_unavailable" });
    expect(await store.query("select 1 as one", [])).toEqual([{ one: 1 }]);
    await store.close();
  });
});
