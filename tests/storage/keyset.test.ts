import { openTestStore } from "@mosaicstack/harness";
import { describe } from "vitest";
import { keysetContract } from "./keyset-contract.ts";

describe("PGlite", () => {
  keysetContract(() => openTestStore(), { analyzed: true });
});

describe("PGlite that has seen no ANALYZE yet", () => {
  keysetContract(() => openTestStore(), { analyzed: false });
});
