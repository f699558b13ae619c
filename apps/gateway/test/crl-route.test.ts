import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createEmbeddedAuthority, openEmbeddedAuthority } from "@mosaicstack/certificate-authority";
import { systemClock } from "@mosaicstack/foundation";
import { createCrlPublication, type CrlPublication } from "@mosaicstack/federation-server";
import fastify, { type FastifyInstance } from "fastify";
import { serializerCompiler } from "fastify-type-provider-zod";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CRL_PATH, crlRoute } from "../src/federation/crl-route.ts";
import { validatorCompiler } from "../src/http/validation.ts";

const run = promisify(execFile);

let app: FastifyInstance;
let crl: CrlPublication;
let rootPem: string;
let isDown = false;
beforeAll(async () => {
  const made = await createEmbeddedAuthority({ clock: systemClock });
  ({ rootPem } = made);
  const list = async () => [{ serial: "abc123", revokedAt: new Date(), reason: "privilegeWithdrawn" as const }];
  const authority = await openEmbeddedAuthority({ ...made, clock: systemClock, revokedSerials: { list } });
  crl = createCrlPublication({
    authority: { rootPem, crl: () => (isDown ? Promise.reject(new Error("down")) : authority.crl()) },
    clock: systemClock,
    onAlarm: () => undefined,
  });
  app = served(crl);
});
afterAll(() => app.close());

function served(publication: CrlPublication): FastifyInstance {
  const server = fastify();
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  crlRoute(server, { crl: publication });
  return server;
}

test("the CRL is public, may be cached for a minute, and openssl reads and verifies it", async () => {
  const answer = await app.inject({ url: CRL_PATH });
  expect(answer.statusCode, answer.body).toBe(200);
  expect(answer.headers).toMatchObject({
    "content-type": "application/pkix-crl",
    "cache-control": "public, max-age=60",
    etag: expect.stringMatching(/^"[\w-]{43}"$/) as string,
    "last-modified": expect.stringMatching(/GMT$/) as string,
  });
  const directory = await mkdtemp(join(tmpdir(), "mosaic-crl-"));
  try {
    const [list, root] = [join(directory, "list.der"), join(directory, "root.pem")];
    await writeFile(list, answer.rawPayload);
    await writeFile(root, rootPem);
    const { stdout, stderr } = await run("openssl", [
      "crl",
      "-inform",
      "DER",
      "-in",
      list,
      "-CAfile",
      root,
      "-text",
      "-noout",
    ]);
    expect(stderr).toContain("verify OK");
    expect(stdout).toContain("ABC123");
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("304 for the etag that holds, also as a weak one, in a list or as *", async () => {
  const { headers } = await app.inject({ url: CRL_PATH });
  const etag = String(headers.etag);
  for (const given of [etag, `W/${etag}`, `"another", ${etag}`, "*"]) {
    const answer = await app.inject({ url: CRL_PATH, headers: { "if-none-match": given } });
    expect([answer.statusCode, answer.body, answer.headers.etag]).toEqual([304, "", etag]);
    expect(answer.headers["cache-control"]).toBe("public, max-age=60");
  }
  const other = await app.inject({ url: CRL_PATH, headers: { "if-none-match": '"another"' } });
  expect(other.statusCode).toBe(200);
});

test("HEAD has the headers and no body", async () => {
  const answer = await app.inject({ method: "HEAD", url: CRL_PATH });
  expect([answer.statusCode, answer.rawPayload.length]).toEqual([200, 0]);
  expect(answer.headers.etag).toBeDefined();
});

test("503 crl_unavailable where there never was one, and the last one where there was", async () => {
  isDown = true;
  const never = served(
    createCrlPublication({
      authority: { rootPem, crl: () => Promise.reject(new Error("down")) },
      clock: systemClock,
      onAlarm: () => undefined,
    }),
  );
  try {
    await crl.refresh();
    expect((await app.inject({ url: CRL_PATH })).statusCode).toBe(200);
    const answer = await never.inject({ url: CRL_PATH });
    expect([answer.statusCode, answer.headers["cache-control"]]).toEqual([503 as number, undefined]);
  } finally {
    isDown = false;
    await never.close();
  }
});
