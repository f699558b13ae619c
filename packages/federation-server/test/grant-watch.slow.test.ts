import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { createInProcessCoordination } from "@mosaicstack/coordination";
import type { Store } from "@mosaicstack/storage";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  createGrantAnnouncer,
  createGrantWatch,
  createListener,
  createLiveSockets,
  type GrantWatch,
  issueServerCertificate,
} from "../src/index.ts";
import { OWN_TASKS } from "./grant-fixture.ts";
import {
  addTask,
  addUser,
  grantAndEnroll,
  type PeerKeys,
  type ServingGateway,
  startServingGateway,
} from "./serving-gateway.ts";

let gateway: ServingGateway;
let ada: string;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  gateway = await startServingGateway();
  ada = await addUser(gateway.store, "ada");
  await addTask(gateway.store, "a task", ada);
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(() => gateway.stop());

/** The store, counting what is asked of it. */
function counted(store: Store): { readonly store: Store; readonly queries: () => number } {
  let queries = 0;
  const counting: Store = {
    engine: store.engine,
    get db() {
      queries += 1;
      return store.db;
    },
    query: (sql, parameters) => store.query(sql, parameters),
    transaction: (work) => store.transaction(work),
    readAsPeer: (bounds, work) => store.readAsPeer(bounds, work),
    checkSecondWall: () => store.checkSecondWall(),
    close: () => store.close(),
  };
  return { store: counting, queries: () => queries };
}

/** Another replica of the gateway: a listener and sockets of its own over the same database. It hears nothing of the first. */
async function startReplica(options: { readonly hears: boolean }) {
  const { store, clock, rootPem, certificates, renewal, coordination: own } = gateway;
  const lost = createInProcessCoordination({ onFault: () => undefined });
  const coordination = options.hears ? own : lost;
  const liveSockets = createLiveSockets();
  const faults: unknown[] = [];
  const counting = counted(store);
  const watch: GrantWatch = createGrantWatch({
    store: counting.store,
    clock,
    liveSockets,
    coordination,
    onFault: (error) => faults.push(error),
    ...(options.hears ? { pollMs: 60_000 } : {}),
  });
  const listener = createListener({
    host: "127.0.0.1",
    port: 0,
    certificate: await issueServerCertificate(gateway.authority, clock, []),
    rootPem,
    store,
    clock,
    maxRowsPerQuery: 200,
    liveSockets,
    certificates,
    renewal,
    announcer: createGrantAnnouncer({ liveSockets, coordination }),
    limits: coordination.limits,
    auditQueue: gateway.auditQueue,
    record: () => undefined,
  });
  const { port } = await listener.start();
  watch.start();
  stops.push(async () => {
    await watch.stop();
    await listener.stop();
    await lost.close();
  });
  return { port, liveSockets, watch, faults, queries: counting.queries };
}

/** An open connection to a replica that has been answered once. */
async function keepAlive(keys: PeerKeys, port: number): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, ca: gateway.rootPem, ...keys, ALPNProtocols: ["http/1.1"] });
  socket.on("error", () => undefined);
  const body = JSON.stringify({ resource: "tasks", limit: 10 });
  const length = `content-length: ${body.length}`;
  socket.write(
    `POST /federation/v1/list HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${length}\r\n\r\n${body}`,
  );
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(data.toString()).toContain("200 OK");
  return socket;
}

/** Also where it ends by an error, which is what a peer that is cut sees. */
async function closed(socket: TLSSocket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}

describe("sharp edge 2, on another replica", () => {
  test.each([
    ["hears of it", true],
    ["hears nothing, and polls", false],
  ] as const)(
    "sharp edge 2: a replica that %s cuts the sockets within a second of the revocation",
    async (_name, hears) => {
      const replica = await startReplica({ hears });
      const tookMs: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        const { keys, grant, admin } = await grantAndEnroll(gateway, ada, OWN_TASKS);
        const sockets = [await keepAlive(keys, gateway.port), await keepAlive(keys, replica.port)];
        const startedAt = performance.now();
        await gateway.grants.revoke(admin, grant.id);
        await Promise.all(sockets.map(closed));
        tookMs.push(performance.now() - startedAt);
      }
      expect(Math.max(...tookMs)).toBeLessThan(1_000);
      expect(replica.faults).toEqual([]);
    },
  );
});

describe("the poll", () => {
  test("asks nothing while no socket is open", async () => {
    const replica = await startReplica({ hears: false });
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    await replica.watch.pollLiveGrants();
    expect(replica.queries()).toBe(0);
  });

  test("asks once for all grants, and cuts those that are not active alone", async () => {
    const replica = await startReplica({ hears: true });
    const [active, suspended, ended] = [
      await grantAndEnroll(gateway, ada, OWN_TASKS),
      await grantAndEnroll(gateway, ada, OWN_TASKS),
      await grantAndEnroll(gateway, ada, OWN_TASKS),
    ];
    const [first, second, third] = [
      await keepAlive(active.keys, replica.port),
      await keepAlive(suspended.keys, replica.port),
      await keepAlive(ended.keys, replica.port),
    ];
    // Past the code that would tell the replicas.
    const set = (id: string, assignment: string) =>
      gateway.store.query(`update federation_grants set ${assignment} where id = $1::uuid`, [id]);
    await set(suspended.grant.id, "status = 'suspended'");
    await set(ended.grant.id, "expires_at = now() - interval '1 second'");
    const before = replica.queries();
    await replica.watch.pollLiveGrants();
    expect(replica.queries() - before).toBe(1);
    await Promise.all([second, third].map(closed));
    expect(first.destroyed).toBe(false);
    expect(replica.liveSockets.grantIds()).toEqual([active.grant.id]);
    first.destroy();
  });

  test("goes on after the database failed once", async () => {
    const liveSockets = createLiveSockets();
    const faults: unknown[] = [];
    const { keys, grant } = await grantAndEnroll(gateway, ada, OWN_TASKS);
    const replica = await startReplica({ hears: false });
    let isAway = true;
    const watch = createGrantWatch({
      store: {
        ...counted(gateway.store).store,
        get db() {
          if (isAway) throw new Error("the database is away");
          return gateway.store.db;
        },
      },
      clock: gateway.clock,
      liveSockets,
      coordination: gateway.coordination,
      onFault: (error) => faults.push(error),
      pollMs: 20,
    });
    stops.push(() => watch.stop());
    const socket = await keepAlive(keys, replica.port);
    liveSockets.add(grant.id, socket);
    watch.start();
    await expect.poll(() => faults.length).toBeGreaterThan(1);
    expect(socket.destroyed).toBe(false);
    await gateway.store.query("update federation_grants set status = 'suspended' where id = $1::uuid", [grant.id]);
    isAway = false;
    await closed(socket);
  });
});
