import { openTestStore } from "@mosaicstack/harness";
import { describe } from "vitest";
import { keysetContract } from "./keyset-contract.ts";

describe("PGlite", () => {
  keysetContract(() => openTestStore(), { analyzed: true });
});

describe("PGlite that has seen no ANALYZE yet", () => {
  keysetContract(() => openTestStore(), { analyzed: false });
});

describe("PGlite, behind the second wall", () => {
  keysetContract(() => openTestStore({ vector: true }), { analyzed: true, asPeer: true });
});

describe("PGlite, behind the second wall, that has seen no ANALYZE yet", () => {
  keysetContract(() => openTestStore({ vector: true }), { analyzed: false, asPeer: true });
});
