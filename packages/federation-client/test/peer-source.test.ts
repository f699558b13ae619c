import { newId } from "@mosaicstack/foundation";
import type { ListRequest, Row } from "@mosaicstack/federation-protocol";
import { describe, expect, test } from "vitest";
import { createPeerSource } from "../src/peer-source.ts";

const [newest, middle, oldest] = [3, 2, 1].map((day) => newId(new Date(2026, 0, day))) as [string, string, string];
const grantId = newId();
const signal = new AbortController().signal;

/** A peer that answers `list` and `get` with these rows, whatever is asked. */
const answering = (rows: Row[], more = false) =>
  createPeerSource(
    { id: newId(), name: "work", grantId },
    {
      async call(verb, _body, _signal, check) {
        const answer = (verb === "list" ? { rows, more, limit: 10 } : { row: rows[0] }) as never;
        check?.(answer);
        return answer;
      },
    },
  );

const request = (change: Partial<ListRequest> = {}): ListRequest => ({ resource: "tasks", limit: 10, ...change });
const refused = { code: "peer_incompatible" };

describe("a peer's rows", () => {
  test("are tagged with the peer's name, whatever tag the peer wrote", async () => {
    const rows = [
      { id: newest, title: "a" },
      { id: oldest, _source: "local" },
    ];
    const source = answering(rows);
    expect(source.name).toBe("federated:work");
    expect((await source.list(request(), signal)).rows).toEqual([
      { id: newest, title: "a", _source: "federated:work" },
      { id: oldest, _source: "federated:work" },
    ]);
    expect((await source.get({ resource: "tasks", id: newest }, signal)).row).toMatchObject({
      _source: "federated:work",
    });
  });

  test("more than asked for are refused", async () => {
    const rows = [{ id: newest }, { id: middle }, { id: oldest }];
    await expect(answering(rows).list(request({ limit: 2 }), signal)).rejects.toMatchObject(refused);
    await expect(answering(rows).list(request({ limit: 3 }), signal)).resolves.toMatchObject({ rows: { length: 3 } });
  });

  test("out of order are refused", async () => {
    await expect(answering([{ id: oldest }, { id: newest }]).list(request(), signal)).rejects.toMatchObject(refused);
  });

  test("given twice are refused", async () => {
    await expect(answering([{ id: newest }, { id: newest }]).list(request(), signal)).rejects.toMatchObject(refused);
  });

  test("not below the position asked from are refused", async () => {
    const from = (before: string) => answering([{ id: middle }]).list(request({ before }), signal);
    await expect(from(middle)).rejects.toMatchObject(refused);
    await expect(from(oldest)).rejects.toMatchObject(refused);
    await expect(from(newest)).resolves.toMatchObject({ rows: { length: 1 } });
  });

  test("none, with the word that more follow, is refused: such a list never ends", async () => {
    await expect(answering([], true).list(request(), signal)).rejects.toMatchObject(refused);
  });

  test("another row than the one asked for is refused", async () => {
    await expect(answering([{ id: middle }]).get({ resource: "tasks", id: newest }, signal)).rejects.toMatchObject(
      refused,
    );
  });
});
