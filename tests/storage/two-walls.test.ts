import { openTestStore } from "@mosaicstack/harness";
import { describe } from "vitest";
import { twoWallsContract } from "./two-walls-contract.ts";

describe("PGlite", () => {
  twoWallsContract(async () => {
    const store = await openTestStore({ vector: true });
    return { store, runAsOwner: (statement) => store.db.execute(statement) };
  });
});
