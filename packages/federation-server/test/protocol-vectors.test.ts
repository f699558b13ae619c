import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  capabilitiesResponseSchema,
  federationProblem,
  getResponseSchema,
  listResponseSchema,
  problemResponseSchema,
  searchResponseSchema,
  verbPath,
  verbs,
} from "@mosaicstack/federation-protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ProtocolVector, startVectorGateway } from "./vector-peers.ts";

const DIRECTORY = join(import.meta.dirname, "../../../tests/vectors/protocol");
const vectors = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith(".json"))
  .toSorted()
  .map((name) => [name, JSON.parse(readFileSync(join(DIRECTORY, name), "utf8")) as ProtocolVector] as const);
const schemas = {
  list: listResponseSchema,
  get: getResponseSchema,
  search: searchResponseSchema,
  capabilities: capabilitiesResponseSchema,
};

let serving: Awaited<ReturnType<typeof startVectorGateway>>;
beforeAll(async () => {
  serving = await startVectorGateway();
});
afterAll(() => serving.stop());

describe("recorded requests are answered as recorded", () => {
  test.each(vectors)("%s", async (_name, vector) => {
    expect(await serving.ask(vector)).toEqual(vector.response);
  });
});

describe("recorded answers have the protocol's form", () => {
  test.each(vectors)("%s", (_name, vector) => {
    expect(statusInForm(vector)).toBe(vector.response.status);
  });
});

/** The status an answer of this form has. @throws where it has none of the protocol's forms */
function statusInForm({ request, response }: ProtocolVector): number {
  const verb = verbs.find((name) => verbPath(name) === request.path);
  if (response.status === 200 && verb !== undefined) {
    schemas[verb].parse(response.json);
    return 200;
  }
  const { code, status } = problemResponseSchema.parse(response.json);
  if (federationProblem.table[code as keyof typeof federationProblem.table].status !== status) throw new Error(code);
  return status;
}

test("each verb is recorded both answered and refused", () => {
  for (const verb of verbs) {
    const statuses = vectors
      .filter(([, { request }]) => request.path === verbPath(verb))
      .map(([, { response }]) => response.status);
    expect([verb, statuses.includes(200), statuses.some((status) => status >= 400)]).toEqual([verb, true, true]);
  }
});

test("no key, token, certificate or secret is recorded, nor the name of what lies outside the scope", () => {
  for (const [name, vector] of vectors) {
    expect([name, /BEGIN |"token":|never sent|takeover|Somebody else.s parser/.test(JSON.stringify(vector))]).toEqual([
      name,
      false,
    ]);
  }
});
