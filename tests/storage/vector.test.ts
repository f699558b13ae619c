import { openTestStore } from "@mosaicstack/harness";
import { describe } from "vitest";
import { vectorContract } from "./vector-contract.ts";

describe("PGlite", () => {
  vectorContract(openTestStore);
});
