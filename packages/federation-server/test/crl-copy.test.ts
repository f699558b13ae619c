import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCrlCopy } from "../src/index.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mosaic-crl-copy-"));
});
afterAll(() => rm(directory, { recursive: true }));

const issuerPem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";

test("sharp edge 8: of lists that follow each other at once the last one stays, however long the first takes to write", async () => {
  const copy = createCrlCopy(join(directory, "crl.pem"));
  for (let round = 0; round < 20; round += 1) {
    const long = copy.write({ der: Buffer.alloc(4_000_000, 1), issuerPem });
    const short = copy.write({ der: Buffer.alloc(100, 2), issuerPem });
    await Promise.all([long, short]);
    expect((await copy.read())?.der).toEqual(Buffer.alloc(100, 2));
  }
});

test("a write that fails is told of, leaves nothing behind, and keeps the next from nothing", async () => {
  const path = join(directory, "absent", "crl.pem");
  const copy = createCrlCopy(path);
  const list = { der: Buffer.from("list"), issuerPem };
  await expect(copy.write(list)).rejects.toThrow("ENOENT");
  await expect(copy.write(list)).rejects.toThrow("ENOENT");
  expect(await copy.read()).toBeUndefined();
  expect(await readdir(directory)).toEqual(["crl.pem"]);
});
