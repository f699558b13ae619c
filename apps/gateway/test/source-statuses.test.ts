import { sourceStatuses } from "@mosaicstack/federation-protocol";
import { expect, test } from "vitest";
import { z } from "zod";
import { listAnswer } from "../src/http/answers.ts";

test("every status that a source may have is one that answers are described with", () => {
  const schema = z.toJSONSchema(listAnswer(z.object())) as unknown as {
    properties: { sources: { items: { properties: { status: { enum: string[] } } } } };
  };
  expect(schema.properties.sources.items.properties.status.enum).toEqual([...sourceStatuses]);
});
