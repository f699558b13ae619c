import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  type CertificateAuthority,
  createEmbeddedAuthority,
  openEmbeddedAuthority,
} from "@mosaicstack/certificate-authority";
import { Problem } from "@mosaicstack/foundation";
import { createSealer, schema } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openServerCertificateKeeper, type ServerCertificate, type ServerCertificateKeeper } from "../src/index.ts";
import { DAY_MS, openGrants, type OpenGrants } from "./grant-fixture.ts";

const { federationServerCertificates: table } = schema;

let world: OpenGrants;
/** An authority that can be taken away, and counts what it issued. */
let authority: CertificateAuthority;
let isDown: boolean;
let issued: number;
let said: string[];
const open: ServerCertificateKeeper[] = [];

beforeAll(async () => {
  world = await openGrants();
  authority = {
    ...world.authority,
    async issue(request) {
      if (isDown) throw new Problem("ca_unreachable", { status: 503, title: "Down.", remedy: "Wait." });
      issued += 1;
      return await world.authority.issue(request);
    },
  };
});
beforeEach(async () => {
  [isDown, issued, said] = [false, 0, []];
  world.setClockRight();
  await world.store.db.delete(table);
});
afterEach(async () => {
  for (const each of open.splice(0)) await each.stop();
});
afterAll(() => world.store.close());

/** A gateway that starts. */
async function start(
  differences: { readonly hostnames?: readonly string[]; readonly authority?: CertificateAuthority } = {},
): Promise<ServerCertificateKeeper> {
  const { store, sealer, clock } = world;
  const keeper = await openServerCertificateKeeper({
    store,
    sealer,
    clock,
    authority,
    hostnames: ["work.example"],
    onUnusable: (reason) => said.push(`unusable: ${reason}`),
    onKept: (until, { code }) => said.push(`kept until ${until.toISOString()}: ${code}`),
    onFault: (error) => said.push(`fault: ${error instanceof Problem ? error.code : String(error)}`),
    lookEveryMs: 10,
    ...differences,
  });
  open.push(keeper);
  return keeper;
}

const serialOf = ({ cert }: ServerCertificate): string => new X509Certificate(cert).serialNumber;
const rows = async () => await world.store.db.select().from(table);

test("the first start has one issued, and stores it with its key sealed", async () => {
  const { cert, key, notAfter } = (await start()).current();
  const [row, ...others] = await rows();
  expect(others).toEqual([]);
  expect(row).toMatchObject({ certificatePem: cert, notAfter });
  expect(row?.sealedKey).not.toContain("PRIVATE");
  expect(world.sealer.open(row?.sealedKey ?? "", bindingOf(row?.id))).toBe(key);
  expect({ issued, said }).toEqual({ issued: 1, said: [] });
});

const bindingOf = (rowId = "") => ({ table: "federation_server_certificates", column: "sealed_key", rowId });

test("the next start uses the stored one, and asks the authority for nothing", async () => {
  const first = (await start()).current();
  isDown = true;
  expect((await start()).current()).toEqual(first);
  expect({ issued, said }).toEqual({ issued: 1, said: [] });
});

test("a start that finds it due has the next one made, and stores that", async () => {
  const first = (await start()).current();
  world.advance(61 * DAY_MS);
  const second = (await start()).current();
  expect(serialOf(second)).not.toBe(serialOf(first));
  isDown = true;
  expect((await start()).current()).toEqual(second);
  expect({ issued, said }).toEqual({ issued: 2, said: [] });
});

describe("a stored one is not used, but another made", () => {
  const expectReplaced = async (
    differences: Parameters<typeof start>[0],
    reason: string,
    before?: ServerCertificate,
  ): Promise<void> => {
    const first = before ?? (await start()).current();
    expect(serialOf((await start(differences)).current())).not.toBe(serialOf(first));
    expect(said).toEqual([`unusable: ${reason}`]);
    expect(await rows()).toHaveLength(1);
  };

  test("where the gateway has another name by now", async () => {
    await expectReplaced({ hostnames: ["new.example"] }, "it lacks a host it was asked for");
  });

  test("where the gateway has lost a name", async () => {
    await expectReplaced({ hostnames: [] }, "it names a host it was not asked for");
  });

  test("where it is of another authority", async () => {
    const { clock } = world;
    const material = await createEmbeddedAuthority({ clock });
    const other = await openEmbeddedAuthority({ ...material, clock, revokedSerials: { list: async () => [] } });
    await expectReplaced({ authority: other }, "it is not signed by the pinned root");
  });

  test("where it has expired", async () => {
    const first = (await start()).current();
    world.advance(91 * DAY_MS);
    await expectReplaced({}, "it has expired", first);
  });

  test("sharp edge 9: where it was made by a clock two days ahead, since nobody would take it yet", async () => {
    world.advance(2 * DAY_MS);
    const first = (await start()).current();
    world.setClockRight();
    await expectReplaced({}, "it is not valid yet", first);
  });

  test("where its key was sealed by another secret", async () => {
    const first = (await start()).current();
    const sealer = createSealer({ secret: "another secret, which has its 32 characters too" });
    const [row] = await rows();
    await world.store.db.update(table).set({ sealedKey: sealer.seal(first.key, bindingOf(row?.id)) });
    await expectReplaced({}, "its key cannot be opened", first);
  });

  test("where the key is another certificate's", async () => {
    const first = (await start()).current();
    const [row] = await rows();
    await (await start()).renew();
    await world.store.db.update(table).set({ sealedKey: row?.sealedKey ?? "" });
    await expectReplaced({}, "it is for another key", first);
  });

  test("where the text is no certificate", async () => {
    const first = (await start()).current();
    await world.store.db.update(table).set({ certificatePem: "nothing of the kind" });
    await expectReplaced({}, "it, or one of its chain, is not a certificate", first);
  });
});

describe("with the authority away", () => {
  test("one that is due and still good goes on, and it is said until when", async () => {
    const first = (await start()).current();
    world.advance(89 * DAY_MS);
    isDown = true;
    expect((await start()).current()).toEqual(first);
    expect(said).toEqual([`kept until ${first.notAfter.toISOString()}: ca_unreachable`]);
  });

  test("a start without a stored one is refused with the authority's Problem", async () => {
    isDown = true;
    await expect(start()).rejects.toMatchObject({ code: "ca_unreachable" });
  });

  test("a start with one that has expired is refused the same", async () => {
    await start();
    world.advance(91 * DAY_MS);
    isDown = true;
    await expect(start()).rejects.toMatchObject({ code: "ca_unreachable" });
  });

  test("a start with one of another name is refused the same", async () => {
    await start();
    isDown = true;
    await expect(start({ hostnames: ["new.example"] })).rejects.toMatchObject({ code: "ca_unreachable" });
  });

  test("a renewal on demand is refused, and the current one stays", async () => {
    const keeper = await start();
    const first = keeper.current();
    isDown = true;
    await expect(keeper.renew()).rejects.toMatchObject({ code: "ca_unreachable" });
    expect(keeper.current()).toBe(first);
    isDown = false;
    expect((await start()).current()).toEqual(first);
  });

  test("a gateway that runs goes on with the one it has, and renews it once the authority is back", async () => {
    const keeper = await start();
    const first = keeper.current();
    isDown = true;
    world.advance(61 * DAY_MS);
    keeper.start();
    await expect.poll(() => said.length).toBeGreaterThan(2);
    expect(new Set(said)).toEqual(new Set([`kept until ${first.notAfter.toISOString()}: ca_unreachable`]));
    expect(keeper.current()).toBe(first);
    isDown = false;
    await expect.poll(() => serialOf(keeper.current())).not.toBe(serialOf(first));
  });

  test("a gateway whose certificate ends while it runs says that none is good", async () => {
    const keeper = await start();
    isDown = true;
    world.advance(91 * DAY_MS);
    keeper.start();
    await expect.poll(() => said).toContain("fault: ca_unreachable");
    expect(said.filter((each) => each.startsWith("kept"))).toEqual([]);
  });
});

test("a renewal on demand is stored, and told to who listens", async () => {
  const keeper = await start();
  const [before, heard] = [keeper.current(), [] as ServerCertificate[]];
  keeper.onRenewed((certificate) => heard.push(certificate));
  await keeper.renew();
  expect(serialOf(keeper.current())).not.toBe(serialOf(before));
  expect(heard).toEqual([keeper.current()]);
  expect((await start()).current()).toEqual(keeper.current());
});

test("it renews by itself when it is due, once", async () => {
  const keeper = await start();
  const heard: ServerCertificate[] = [];
  keeper.onRenewed((certificate) => heard.push(certificate));
  keeper.start();
  world.advance(61 * DAY_MS);
  await expect.poll(() => heard.length).toBe(1);
  await new Promise((resolve) => void setTimeout(resolve, 100));
  expect({ heard: heard.length, issued }).toEqual({ heard: 1, issued: 2 });
});

test("of two replicas, one renews for both", async () => {
  const [first, second] = [await start(), await start()];
  expect(second.current()).toEqual(first.current());
  world.advance(61 * DAY_MS);
  await first.renew();
  second.start();
  await expect.poll(() => serialOf(second.current())).toBe(serialOf(first.current()));
  expect(issued).toBe(2);
});

test("replicas that start at once on an empty database each have one, and what is stored is one of them, whole", async () => {
  const replicas = await Promise.all(Array.from({ length: 5 }, () => start()));
  const certificates = replicas.map((each) => each.current());
  expect(await rows()).toHaveLength(1);
  isDown = true;
  const next = (await start()).current();
  expect(certificates).toContainEqual(next);
  expect(new X509Certificate(next.cert).checkPrivateKey(createPrivateKey(next.key))).toBe(true);
});
