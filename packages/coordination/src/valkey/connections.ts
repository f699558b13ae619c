import { Redis, type RedisOptions } from "ioredis";
import type { ValkeyAddress } from "./address.ts";

/** How long one attempt to connect may take. */
const CONNECT_MS = 5000;
const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 1000;

/** Without the one option whose type `exactOptionalPropertyTypes` can't pass on. */
export type ConnectionOptions = Omit<RedisOptions, "replyMapping">;

/** What ioredis needs to know of an address. */
export function redisOptions({ host, port, database, username, password, tls, ca }: ValkeyAddress): ConnectionOptions {
  return {
    host,
    port,
    db: database,
    // RESP2 logs in with AUTH, which every server understands; nothing here needs RESP3.
    protocol: 2,
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: ca === undefined ? {} : { ca } } : {}),
  };
}

/** The connections of one replica, which come back by themselves until they're all closed. */
export interface Connections {
  /** Opens another, at once or as soon as Valkey is there; what is sent meanwhile waits. */
  open(name: string, more?: ConnectionOptions): Redis;
  /** Drops those that seem up, so that they're made anew: for a server that vanished without closing them. */
  renew(): void;
  close(): void;
}

/** @param onError hears what goes wrong on any of them, as ioredis throws it: not fit for a log. */
export function createConnections(address: ValkeyAddress, onError: (error: Error) => void): Connections {
  const options = redisOptions(address);
  const all = new Set<Redis>();

  const keep = (connection: Redis): Redis => {
    all.add(connection);
    // Without a listener, ioredis prints to the console.
    connection.on("error", onError);
    connection.on("end", () => all.delete(connection));
    connection.on("connecting", () => all.add(connection));
    // BullMQ duplicates the connection it is given for its blocking command. Were the duplicate lazy, BullMQ would open
    // it, and give up for good where Valkey is away at that moment.
    const duplicate = connection.duplicate.bind(connection);
    connection.duplicate = (override) => keep(duplicate({ ...override, lazyConnect: false }));
    return connection;
  };

  return {
    open(name, more = {}) {
      const lasting: ConnectionOptions = {
        ...options,
        connectionName: `mosaic-${name}`,
        // Waits for the server, however long.
        maxRetriesPerRequest: null,
        retryStrategy: (times) => Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** Math.min(times, 10)),
        // After a failover the address may lead to the new primary: connect again, and send the command again.
        reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false),
        ...more,
      };
      const connection = keep(new Redis(lasting));
      connection.connect().catch(() => undefined);
      return connection;
    },
    renew() {
      // One that is between two attempts would be parked for good by this.
      for (const connection of all) {
        if (connection.status === "ready" || connection.status === "connect") connection.disconnect(true);
      }
    },
    close() {
      for (const connection of all) {
        const isBetweenAttempts = connection.status === "reconnecting";
        connection.disconnect();
        if (!isBetweenAttempts) continue;
        // Such a one would keep its commands waiting for good. An attempt that is broken off makes them fail.
        connection.connect().catch(() => undefined);
        connection.disconnect();
      }
    },
  };
}
