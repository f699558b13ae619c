import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestGateway, PASSWORD, type TestGateway } from "./test-gateway.ts";

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await openTestGateway();
  await gateway.gateway.start();
});
afterAll(() => gateway.stop());

/** Sends a request whose body stops in its middle until `between` has happened; what is answered, whole. */
async function interrupted(path: string, key: string, body: string, between: () => Promise<unknown>): Promise<string> {
  const { hostname, port } = new URL(gateway.gateway.urls().people);
  const before = gateway.log.length;
  const socket = connect(Number(port), hostname);
  let answer = "";
  socket.on("data", (data) => (answer += data.toString()));
  socket.write(
    `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body.slice(0, 3)}`,
  );
  // Long enough for the credential to have been read: nothing outside shows that it was.
  await setTimeout(300);
  await between();
  socket.write(body.slice(3));
  await once(socket, "close");
  expect(gateway.log.slice(before).filter((line) => line.includes('"level":50'))).toEqual([]);
  return answer;
}

test.each([
  ["/api/v1/tasks", { title: "x" }],
  ["/api/v1/teams", { name: "Ghosts" }],
  ["/api/v1/api-keys", { name: "x" }],
  ["/api/v1/import/tasks", { rows: [{ key: "k", input: { title: "x" } }] }],
])("a write to %s whose user is removed while it arrives is 404 and no fault", async (path, body) => {
  const person = await gateway.person(`Gone${path.replaceAll("/", "-")}`);
  const answer = await interrupted(path, person.key, JSON.stringify(body), () =>
    gateway.call("DELETE", `/api/v1/users/${person.id}`, { as: gateway.admin }),
  );
  expect(answer).toMatch(/^HTTP\/1\.1 404 /);
  expect(answer).toContain('"code":"not_found"');
});

test("a sign-in call with a NUL is 400, and the failed statement's parameters are printed nowhere", async () => {
  const signIn = { email: gateway.admin.email, password: PASSWORD };
  const { headers } = await gateway.call("POST", "/api/auth/sign-in/email", { body: signIn });
  const cookie = String(headers["set-cookie"]).split(";")[0]!;
  const printed: unknown[] = [];
  const { error } = console;
  Object.assign(console, { error: (...parts: unknown[]) => void printed.push(parts) });
  try {
    const answer = await gateway.call("POST", "/api/auth/revoke-session", {
      body: { token: "a\0b" },
      headers: { cookie, host: "localhost:80", origin: "http://localhost:80" },
    });
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 400, code: "invalid_input" });
  } finally {
    Object.assign(console, { error });
  }
  expect(printed).toEqual([]);
});
