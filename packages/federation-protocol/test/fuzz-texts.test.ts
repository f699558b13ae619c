import { newId } from "@mosaicstack/foundation";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  capabilitiesRequestSchema,
  enrollmentRequestSchema,
  formatInvite,
  getRequestSchema,
  isLoopback,
  listRequestSchema,
  newToken,
  parseRequest,
  parseScope,
  peerSource,
  problemResponseSchema,
  readInvite,
  readSourceSelector,
} from "../src/index.ts";
import { attempt } from "./refusal.ts";

const token = newToken();
const ca = "ab".repeat(32);

describe("readInvite", () => {
  const scheme = fc.constantFrom("https://", "http://", "HTTPS:", "ftp://", "//", "", "https:/", "data:");
  const host = fc.oneof(
    fc.domain(),
    fc.ipV4(),
    fc.ipV6().map((address) => `[${address}]`),
    fc.constantFrom(
      "localhost",
      "127.0.0.1",
      "[::1]",
      "user@host",
      "a:b@host",
      "host\\@evil",
      "0x7f.1",
      "bücher.example",
      "%31",
    ),
  );
  const pieces = fc.constantFrom(
    `token=${token}`,
    `ca=${ca}`,
    `token=${token.slice(1)}`,
    "ca=",
    "token=",
    "&",
    "#",
    "%",
    "+",
    "=",
    "\u0000",
    "\n",
  );
  const fragment = fc.oneof(
    fc.constant(`token=${token}&ca=${ca}`),
    fc.array(pieces, { maxLength: 6 }).map((list) => list.join("&")),
  );
  const shaped = fc
    .tuple(
      scheme,
      host,
      fc.oneof(fc.constant("/enroll"), fc.webPath(), fc.string()),
      fc.constantFrom("#", "?", "&", "%23"),
      fragment,
    )
    .map(([first, second, path, mark, last]) => `${first}${second}${path}${mark}${last}`);

  test("of any text throws nothing, takes what it takes as it is written back, and never repeats the token", () => {
    let invites = 0;
    fc.assert(
      fc.property(
        fc.oneof({ weight: 5, arbitrary: shaped }, fc.string({ unit: "binary", maxLength: 3000 }), fc.webUrl()),
        (text) => {
          const reading = readInvite(text);
          expect(reading.kind === "malformed" ? reading.reason : "").not.toContain(token.slice(0, 6));
          if (reading.kind === "malformed") return;
          invites++;
          const { enrollUrl } = reading.invite;
          const url = new URL(enrollUrl);
          expect(url.protocol === "https:" || isLoopback(url.hostname)).toBe(true);
          expect(`${url.username}${url.password}${url.hash}`).toBe("");
          expect(reading.invite).toEqual({ enrollUrl, token, caFingerprint: ca });
          expect(readInvite(formatInvite(reading.invite))).toEqual(reading);
        },
      ),
      { numRuns: 5000 },
    );
    // About one in a hundred is; fewer than ten would mean that the generator lost its aim.
    expect(invites).toBeGreaterThan(10);
  });

  test.each([
    ["parts of a fragment", `https://work.example/#${"&token".repeat(300)}`],
    ["dots", `http://127${".1".repeat(1000)}/`],
    ["percent signs", `https://work.example/#${"%".repeat(2000)}`],
    ["a megabyte", "https://".repeat(131_072)],
  ])("of the most %s takes no time", (_, text) => {
    const startedAt = performance.now();
    expect(readInvite(text).kind).toBe("malformed");
    expect(performance.now() - startedAt).toBeLessThan(100);
  });
});

const anything = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
  }),
  fc.jsonValue(),
);

/** An object whose members are sometimes as they should be, and sometimes anything. */
function almost(members: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<unknown> {
  const loose = Object.entries(members).map(([name, good]) => [
    name,
    fc.oneof({ weight: 9, arbitrary: good }, anything),
  ]);
  const extra = fc.oneof(
    { weight: 6, arbitrary: fc.constant({}) },
    fc.dictionary(fc.string(), anything, { maxKeys: 2 }),
  );
  const known = fc.record(Object.fromEntries(loose) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] });
  return fc.oneof(
    { weight: 8, arbitrary: fc.tuple(known, extra).map(([one, other]) => ({ ...other, ...one })) },
    anything,
  );
}

/** What was made of an input; undefined: it was refused as documented. */
function parsed<Output>(code: string, parse: () => Output): Output | undefined {
  const outcome = attempt(parse);
  if ("output" in outcome) return outcome.output;
  const { problem } = outcome;
  expect(problem).toMatchObject({ code, status: 400, details: { path: expect.any(String) } });
  expect(problemResponseSchema.safeParse(JSON.parse(JSON.stringify(problem.details))).success).toBe(true);
  return undefined;
}

describe("parseScope", () => {
  const resources = ["tasks", "notes"];
  const names = fc.array(fc.constantFrom("tasks", "notes", "notes", "secrets", "__proto__"), { maxLength: 3 });
  const scope = almost({
    resources: names,
    excluded_resources: names,
    include_teams: fc.oneof(fc.constant("all"), fc.array(fc.constantFrom(newId(), newId(), "x"), { maxLength: 3 })),
    include_personal: fc.boolean(),
    max_rows_per_query: fc.integer({ min: -1, max: 1002 }),
  });

  test("of anything is a scope that names known resources and reads back as itself, or the documented refusal", () => {
    let scopes = 0;
    fc.assert(
      fc.property(scope, (input) => {
        const json = parsed("scope_invalid", () => parseScope(input, resources));
        if (json === undefined) return;
        scopes++;
        expect(resources).toEqual(expect.arrayContaining([...json.resources, ...json.excluded_resources]));
        expect(json.include_personal || json.include_teams.length > 0).toBe(true);
        expect(parseScope(JSON.parse(JSON.stringify(json)), resources)).toEqual(json);
      }),
      { numRuns: 2000 },
    );
    expect(scopes).toBeGreaterThan(50);
  });
});

describe("parseRequest", () => {
  const id = fc.constantFrom(newId(), newId());
  const resource = fc.oneof({ weight: 4, arbitrary: fc.constant("tasks") }, { weight: 1, arbitrary: fc.string() });
  const cases = [
    [
      "list",
      listRequestSchema,
      almost({
        resource,
        limit: fc.integer({ min: -1, max: 1002 }),
        before: id,
        filters: fc.dictionary(fc.string(), fc.string()),
      }),
    ],
    ["get", getRequestSchema, almost({ resource, id })],
    ["capabilities", capabilitiesRequestSchema, almost({})],
    [
      "enrollment",
      enrollmentRequestSchema,
      almost({ protocol: fc.constant(1), token: fc.constant(token), csr: fc.string() }),
    ],
  ] as const;

  test.each(cases)("of anything as a request of %s is that, or the documented refusal", (_, schema, input) => {
    let requests = 0;
    fc.assert(
      fc.property(input, (body) => {
        const request = parsed("request_malformed", () => parseRequest<unknown>(schema, body));
        if (request === undefined) return;
        requests++;
        expect(parseRequest<unknown>(schema, JSON.parse(JSON.stringify(request)))).toEqual(request);
      }),
      { numRuns: 1500 },
    );
    expect(requests).toBeGreaterThan(50);
  });
});

test("readSourceSelector of any text is what writes back as that text, or nothing", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^(federated:)?[a-z0-9-]{0,65}$/),
    fc.constantFrom("all", "local"),
  );
  fc.assert(
    fc.property(text, (source) => {
      const selector = readSourceSelector(source);
      if (selector === undefined) return;
      expect(selector.kind === "peer" ? peerSource(selector.peer) : selector.kind).toBe(source);
    }),
    { numRuns: 3000 },
  );
});
