import { expect, test } from "vitest";
import { knownResource } from "../../src/stages/trail.ts";
import { requestIdOf } from "../../src/peer-requests.ts";

test("of a resource, only a name that there is gets into a record", () => {
  expect(knownResource({ resource: "tasks" })).toBe("tasks");
  expect(knownResource({ resource: "call me at 555" })).toBeNull();
  expect(knownResource({ query: "x" })).toBeNull();
});

test("a request id of the peer's is taken where it is a UUID as this system writes them, and else is our own", () => {
  const sent = "01a209ae-c38d-71d7-ae85-336293c8e3d8";
  expect(requestIdOf({ headers: { "x-request-id": sent } })).toBe(sent);
  for (const wrong of [undefined, "", "1", sent.toUpperCase(), `${sent}, ${sent}`, `${sent}\n`]) {
    const own = requestIdOf({ headers: wrong === undefined ? {} : { "x-request-id": wrong } });
    expect([wrong, own.length, own === sent]).toEqual([wrong, 36, false]);
  }
});
