import { openTestStore } from "@mosaicstack/harness";
import { describe } from "vitest";
import { searchContract } from "./search-contract.ts";

describe("search on PGlite", () => {
  searchContract(() => openTestStore());
});
