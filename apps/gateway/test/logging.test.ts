import { expect, test } from "vitest";
import { createLog } from "../src/index.ts";

function logTo(format: "json" | "pretty") {
  const lines: string[] = [];
  const log = createLog({ level: "debug", format }, { write: (line) => void lines.push(line) });
  return { log, text: () => lines.join("") };
}

test("no secret is written, wherever it turns up", () => {
  const { log, text } = logTo("json");
  const secret = "s3cr3t-value";
  log.info({ authorization: `Bearer ${secret}`, headers: { cookie: secret, "x-api-key": secret } }, "request");
  log.info({ body: { password: secret }, deep: { body: { token: secret, secret } } }, "body");
  log.error({ err: new Error(`connect postgresql://mosaic:${secret}@db/mosaic`) }, "down");
  log.error({ err: new Error(`https://b/enroll#token=${secret}&ca=1`) }, "invite");
  log.error({ err: new Error("outer", { cause: new Error(`Authorization: Bearer ${secret}`) }) }, "cause");
  expect(text()).not.toContain(secret);
  expect(text().split("\n")).toHaveLength(6);
});

test("a failed statement is logged without its parameters, and with the database's own code", () => {
  const { log, text } = logTo("json");
  const cause = Object.assign(new Error("duplicate key"), { code: "23505" });
  const failed = new Error("Failed query: insert into users values ($1, $2)\nparams: ada@example.org,scrypt-hash", {
    cause,
  });
  log.error({ err: failed }, "internal");
  expect(text()).not.toMatch(/ada@example\.org|scrypt-hash/);
  expect(JSON.parse(text()).err).toMatchObject({
    message: "Failed query: insert into users values ($1, $2)",
    cause: { message: "duplicate key", code: "23505" },
  });
  expect(JSON.parse(text()).err.stack).toContain("logging.test.ts");
});

test("a parameter that reads like a stack does not let those after it into the log", () => {
  const { log, text } = logTo("json");
  const failed = new Error(
    "Failed query: insert into notes\nparams: a note,\n    at somewhere (file.ts:1),ada@example.org",
  );
  log.error({ err: new Error("outer", { cause: failed }) }, "internal");
  log.error({ err: failed }, "internal");
  expect(text()).not.toContain("ada@example.org");
  expect(JSON.parse(text().split("\n")[1]!).err.stack).toContain("logging.test.ts");
});

test("pretty lines are one a message, with time, level and what belongs to it", () => {
  const { log, text } = logTo("pretty");
  log.warn({ path: "tier", count: 2 }, "careful");
  expect(text()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARN careful path=tier count=2\n$/);
});
