import { openTestStore } from "@mosaicstack/harness";
import { describe } from "vitest";
import { storeContract } from "./store-contract.ts";

describe("PGlite", () => {
  storeContract(() => openTestStore());
});
