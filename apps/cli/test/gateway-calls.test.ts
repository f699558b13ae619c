import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createGateway, type Gateway } from "../src/gateway.ts";
import { runHere } from "./run-here.ts";

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
}

/** A server of this test's own that answers as it is told: for what no gateway would be made to do. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers });
    request.resume();
    request.on("end", () => answer(request, response, seen.length));
    request.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const connect = (url: string, signal = new AbortController().signal): Gateway =>
  createGateway({ url, apiKey: "mosaic_key", ca: undefined }, signal);

const problem = (
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { "content-type": "application/problem+json", ...headers }).end(JSON.stringify(body));
};
const json = (response: ServerResponse, body: unknown): void => {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
};

describe("a call", () => {
  test("carries the key and the query, and gives the body", async () => {
    const { url, seen } = await serve((_, response) => json(response, { fine: true }));
    const { body } = await connect(url).call("GET", "/api/v1/tasks", {
      query: { limit: 5, cursor: undefined, key: "a b&c" },
    });
    expect(body).toEqual({ fine: true });
    expect(seen).toMatchObject([
      { method: "GET", url: "/api/v1/tasks?limit=5&key=a+b%26c", headers: { authorization: "Bearer mosaic_key" } },
    ]);
  });

  test("that is refused throws the gateway's own problem", async () => {
    const { url } = await serve((_, response) =>
      problem(response, 404, { code: "not_found", title: "t", status: 404, detail: "d", remedy: "r", request_id: "q" }),
    );
    await expect(connect(url).call("GET", "/x")).rejects.toMatchObject({
      code: "not_found",
      status: 404,
      details: { detail: "d", remedy: "r", request_id: "q" },
    });
  });

  test.each([
    [{}, "http_403", "The gateway answered with status 403."],
    [{ message: "Invalid", code: "INVALID_EMAIL" }, "invalid_email", "Invalid"],
    [null, "http_403", "The gateway answered with status 403."],
    [["x"], "http_403", "The gateway answered with status 403."],
  ])("that is refused with %j is shown all the same", async (body, code, detail) => {
    const { url } = await serve((_, response) => problem(response, 403, body as object));
    await expect(connect(url).call("GET", "/x")).rejects.toMatchObject({ code, details: { detail } });
  });

  test("follows no redirect: the key stays here", async () => {
    const elsewhere = await serve((_, response) => json(response, {}));
    const { url } = await serve((_, response) => response.writeHead(302, { location: elsewhere.url }).end());
    await expect(connect(url).call("GET", "/x")).rejects.toMatchObject({ code: "answer_unreadable" });
    expect(elsewhere.seen).toEqual([]);
  });

  test("to something that is no gateway says so", async () => {
    const { url } = await serve((_, response) =>
      response.writeHead(404, { "content-type": "text/html" }).end("<h1>404</h1>"),
    );
    await expect(connect(url).call("GET", "/x")).rejects.toMatchObject({ code: "answer_unreadable" });
    const other = await serve((_, response) => response.writeHead(200).end("<h1>hello</h1>"));
    await expect(connect(other.url).call("GET", "/x")).rejects.toMatchObject({ code: "answer_unreadable" });
  });

  test("to nobody says that nothing listens there", async () => {
    await expect(connect("http://127.0.0.1:9").call("GET", "/x")).rejects.toMatchObject({
      code: "gateway_unreachable",
      message: expect.stringContaining("nothing listens there"),
    });
  });

  test("that takes too long ends", async () => {
    const { url } = await serve(() => undefined);
    await expect(connect(url).call("GET", "/x", { timeoutMs: 100 })).rejects.toMatchObject({ code: "gateway_timeout" });
  });

  test("ends when it is interrupted", async () => {
    const { url } = await serve(() => undefined);
    const interrupted = new AbortController();
    setTimeout(() => interrupted.abort(), 50);
    await expect(connect(url, interrupted.signal).call("GET", "/x")).rejects.toMatchObject({ code: "interrupted" });
  });

  test("whose answer is cut off is asked once more, under the same Idempotency-Key", async () => {
    const { url, seen } = await serve((request, response, count) =>
      count === 1 ? request.socket.resetAndDestroy() : json(response, { id: "1" }),
    );
    const { body } = await connect(url).call("POST", "/api/v1/tasks", { body: { title: "a" }, repeatable: true });
    expect(body).toEqual({ id: "1" });
    expect(seen).toHaveLength(2);
    expect(seen[0]?.headers["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/u);
    expect(seen[1]?.headers["idempotency-key"]).toBe(seen[0]?.headers["idempotency-key"]);
  });

  test("that may not be made twice is not", async () => {
    const { url, seen } = await serve((request) => request.socket.resetAndDestroy());
    await expect(connect(url).call("DELETE", "/x")).rejects.toMatchObject({ code: "gateway_unreachable" });
    expect(seen).toHaveLength(1);
  });

  test("waits as a rate limit asks where it is patient, and fails where it is not", async () => {
    const limited = async () =>
      await serve((_, response, count) =>
        count === 1
          ? problem(response, 429, { code: "rate_limited" }, { "retry-after": "0" })
          : json(response, { fine: true }),
      );
    const patient = await limited();
    expect((await connect(patient.url).call("GET", "/x", { patient: true })).body).toEqual({ fine: true });
    const impatient = await limited();
    await expect(connect(impatient.url).call("GET", "/x")).rejects.toMatchObject({ code: "rate_limited", status: 429 });
  });

  test("does not wait longer than a minute", async () => {
    const { url, seen } = await serve((_, response) =>
      problem(response, 429, { remedy: "As `retry-after` says." }, { "retry-after": "3600" }),
    );
    await expect(connect(url).call("GET", "/x", { patient: true })).rejects.toMatchObject({
      details: { remedy: "Try again in 3600 s." },
    });
    expect(seen).toHaveLength(1);
  });
});

describe("a list", () => {
  const row = (title: string, source = "local") => ({
    id: `0198c0de-0000-7000-8000-00000000000${title}`,
    title,
    status: "open",
    due_at: null,
    team: null,
    _source: source,
  });
  const report = (source: string, rows: number, error?: object) => ({
    source,
    status: error === undefined ? "ok" : "offline",
    took_ms: 1,
    rows,
    truncated: false,
    ...(error === undefined ? {} : { error }),
  });
  const offline = { code: "peer_unreachable", detail: "It is off.", remedy: "Turn it on." };

  async function list(words: string[], pages: object[]) {
    const { url, seen } = await serve((_, response, count) => json(response, pages[count - 1] ?? { code: "too_many" }));
    const ran = await runHere(["task", "list", ...words], { variables: { MOSAIC_URL: url, MOSAIC_API_KEY: "k" } });
    return { ...ran, seen };
  }
  const page = (rows: object[], more: object = {}) => ({
    rows,
    next_cursor: null,
    partial: false,
    limit: 50,
    sources: [report("local", rows.length)],
    ...more,
  });

  test("shows where rows came from when it is blended, and not when it is not", async () => {
    expect((await list([], [page([row("1")])])).out).not.toContain("SOURCE");
    expect((await list(["--source", "all"], [page([row("1"), row("2", "federated:work")])])).out).toMatch(
      /^SOURCE .*\nlocal .*\nfederated:work /u,
    );
  });

  test("with a source missing says which and why, and ends with 8", async () => {
    const sources = [report("local", 1), report("federated:work", 0, offline)];
    const { status, out, err } = await list(
      ["--source", "all"],
      [page([row("1")], { partial: true, retry_cursor: "again", sources })],
    );
    expect(status).toBe(8);
    expect(out).toContain("local");
    expect(err).toContain("federated:work is missing (offline): It is off. Turn it on.");
    expect(err).toContain("--source all --cursor again");
  });

  test("in JSON is what the gateway answered", async () => {
    const answer = page([row("1")]);
    const { out, err } = await list(["--json"], [answer]);
    expect(JSON.parse(out)).toEqual({ version: 1, command: "task list", data: answer });
    expect(err).toBe("");
  });

  test("of all pages is a row a line in JSON, and a last line that says how it ended", async () => {
    const pages = [page([row("1")], { next_cursor: "two" }), page([row("2")], { next_cursor: "three" }), page([])];
    const { status, out, seen } = await list(["--all", "--json"], pages);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toMatchObject([
      { version: 1, row: { title: "1" } },
      { version: 1, row: { title: "2" } },
      { version: 1, end: { rows: 2, partial: false } },
    ]);
    expect(seen.map(({ url }) => new URL(url, "http://x").searchParams.get("cursor"))).toEqual([null, "two", "three"]);
    expect(status).toBe(0);
  });

  test("of all pages, with a source that failed and came back, is whole", async () => {
    const failed = [report("local", 1), report("federated:work", 0, offline)];
    const back = [report("local", 0), report("federated:work", 1)];
    const pages = [
      page([row("1")], { next_cursor: "two", partial: true, sources: failed }),
      page([row("2", "federated:work")], { sources: back }),
    ];
    expect(await list(["--all", "--source", "all"], pages)).toMatchObject({ status: 0, err: "2 rows.\n" });
  });

  test("of all pages, with a source that stayed away, is partial", async () => {
    const failed = [report("local", 1), report("federated:work", 0, offline)];
    const { status, err } = await list(
      ["--all", "--source", "all"],
      [page([row("1")], { partial: true, retry_cursor: "again", sources: failed })],
    );
    expect(status).toBe(8);
    expect(err).toContain("federated:work is missing");
    expect(err).toContain("--all --cursor again");
  });

  test("of all pages, with a peer removed and another added under its name, says that the first is missing", async () => {
    const gone = {
      ...report("federated:work", 0, {
        code: "source_gone",
        detail: "It is not read any more.",
        remedy: "Start again.",
      }),
      status: "gone",
    };
    const pages = [
      page([row("1")], { next_cursor: "two" }),
      page([row("2", "federated:work")], { partial: true, sources: [gone, report("federated:work", 1)] }),
    ];
    const { status, err } = await list(["--all", "--source", "all"], pages);
    expect(status).toBe(8);
    expect(err).toContain("federated:work is missing (gone): It is not read any more. Start again.");
  });

  test("says when its limit was too high", async () => {
    expect((await list(["--limit", "500"], [page([row("1")], { limit: 200, limit_clamped: true })])).err).toContain(
      "at most 200 rows",
    );
  });

  test("a row can't write to the terminal", async () => {
    const evil = { ...row("1"), title: "\u001b]0;owned\u0007a\u202eb\nc" };
    expect((await list([], [page([evil])])).out).toMatch(/open +ab c\s*\n$/u);
    expect((await list(["--json"], [page([evil])])).out).not.toMatch(/[\u001b\u202e]/u);
  });
});
