import { openTestStore } from "@mosaicstack/harness";
import { describe } from "vitest";
import { searchWordsContract } from "./search-words-contract.ts";

describe("words of titles on PGlite", () => {
  searchWordsContract(() => openTestStore());
});
