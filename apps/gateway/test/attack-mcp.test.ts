import { newId } from "@mosaicstack/foundation";
import type { Reader } from "@mosaicstack/federation-protocol";
import { expect, test } from "vitest";
import { searchTool } from "../src/mcp/search-tool.ts";

/** What steers a terminal, turns text round, or is not seen. */
const HIDDEN = "\u001b]0;owned\u0007\u202e\u200b\u{E0041}";

test("a hostile peer hides nothing in what its search answer says: the resource is text from elsewhere too", async () => {
  const row = { id: newId(), title: `title${HIDDEN}`, _source: "federated:work" };
  const found = { resource: `notes${HIDDEN}`, row, snippet: `snippet${HIDDEN}` };
  const refuse = () => Promise.reject(new Error("not asked"));
  const reader: Reader = {
    list: refuse,
    get: refuse,
    capabilities: refuse,
    search: () => Promise.resolve({ rowsJson: JSON.stringify([found]), more: false, partial: false, sources: [] }),
  };
  const tool = searchTool(reader, { readOnlyHint: true } as never);
  const { structured, text } = await tool.call({ query: "x" }, newId());
  for (const answer of [JSON.stringify(structured), text]) {
    expect(answer).toContain("title]0;owned");
    expect(answer).not.toMatch(/\\u001b|[\u001b\u0007\u202e\u200b\u{E0041}]/u);
  }
});
