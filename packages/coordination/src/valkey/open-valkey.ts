import { once } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import { newId } from "@mosaicstack/foundation";
import type { Redis } from "ioredis";
import type { Coordination } from "../coordination.ts";
import type { ValkeyOptions } from "../connect-valkey.ts";
import { LEASE_MS } from "../rate-limits.ts";
import { createBroadcast } from "./broadcast.ts";
import { type Connections, createConnections } from "./connections.ts";
import { plainError } from "./failure.ts";
import { createJobs } from "./jobs.ts";
import { createValkeyLimits } from "./limits.ts";
import { askValkey } from "./probe.ts";
import { type Pulse, startPulse } from "./pulse.ts";

const CONNECT_MS = 5000;
const READY_MS = 2000;
const LOCK_MS = 30_000;

/** What `connectValkey` does, once BullMQ and ioredis are loaded. */
export async function openValkey({
  address,
  clock,
  onFault,
  onState,
  instance,
  lockMs = LOCK_MS,
  leaseMs = LEASE_MS,
}: ValkeyOptions): Promise<Coordination> {
  await askValkey(address, CONNECT_MS);

  const prefix = instance === undefined ? "{mosaic}" : `{mosaic:${instance}}`;
  let pulse: Pulse | undefined;
  const connections: Connections = createConnections(address, (error) => pulse?.noteError(error));
  // These fail when Valkey is away, instead of waiting: what they'd say is out of date by then.
  const impatient = { enableOfflineQueue: false, maxRetriesPerRequest: 0 };
  const heart = connections.open("pulse", impatient);
  const publisher = connections.open("publisher", impatient);
  const subscriber = connections.open("subscriber", { autoResubscribe: false });
  await areReady([heart, publisher, subscriber]);
  const beating = (pulse = startPulse({
    connection: heart,
    key: `${prefix}:pulse`,
    clock,
    onState: (state) => {
      onState(state);
      if (state.status === "ok") void jobs.declareAll();
    },
    onEmptied: () => void jobs.declareAll(),
    renew: () => connections.renew(),
  }));
  let stopped: Promise<void> | undefined;
  const jobs = createJobs({
    connection: connections.open("jobs"),
    prefix: `${prefix}:jobs`,
    lockMs,
    disconnect: () => {
      stopped = beating.stop();
      connections.close();
    },
    state: () => beating.state(),
    onFault,
    onBullmqFault: (name, error) => onFault(name, plainError(error, address)),
  });
  const broadcast = createBroadcast({
    publisher,
    subscriber,
    // Channels know no databases, so the number is part of the name.
    prefix: `${prefix}:${address.database}`,
    replica: newId(),
    state: () => beating.state(),
    onFault,
  });
  const limits = createValkeyLimits({
    connection: publisher,
    prefix: `${prefix}:limits`,
    leaseMs,
    state: () => beating.state(),
    onFault: (error) => onFault("limits", plainError(error, address)),
  });

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    broadcast.close();
    await jobs.close();
    await stopped;
  };
  return {
    schedule: (job) => jobs.schedule(job),
    limits,
    state: () => beating.state(),
    publish: (channel, message) => broadcast.publish(channel, message),
    subscribe: (channel, hear) => broadcast.subscribe(channel, hear),
    close: () => (closed ??= close()),
  };
}

/** Waits for connections, but not for long: Valkey may have gone since it was asked. */
async function areReady(connections: readonly Redis[]): Promise<void> {
  const waiting = new AbortController();
  const { signal } = waiting;
  const ready = connections.map(async (connection) => {
    if (connection.status !== "ready") await once(connection, "ready", { signal }).catch(() => undefined);
  });
  await Promise.race([Promise.all(ready), wait(READY_MS, undefined, { signal }).catch(() => undefined)]);
  waiting.abort();
}
