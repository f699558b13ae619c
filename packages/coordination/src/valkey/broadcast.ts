import type { Redis } from "ioredis";
import type { CoordinationState, OnFault } from "../coordination.ts";
import { createListeners } from "../listeners.ts";
import { answered } from "./pulse.ts";

/** Messages between replicas, over publish/subscribe: who isn't connected when one is sent never hears of it. */
export interface Broadcast {
  publish(channel: string, message: string): Promise<void>;
  subscribe(channel: string, hear: (message: string) => void): void;
  close(): void;
}

export interface BroadcastOptions {
  readonly publisher: Redis;
  /** A connection of its own: one that listens takes no other command. */
  readonly subscriber: Redis;
  /** Stands before every channel's name. */
  readonly prefix: string;
  /** This replica, so that it does not hear its own messages twice. */
  readonly replica: string;
  readonly state: () => CoordinationState;
  readonly onFault: OnFault;
}

interface Envelope {
  readonly from: string;
  readonly message: string;
}

export function createBroadcast(options: BroadcastOptions): Broadcast {
  const { publisher, subscriber, prefix, replica, state, onFault } = options;
  const listeners = createListeners(onFault);
  const channelName = (channel: string): string => `${prefix}:${channel}`;

  const listen = (channels: readonly string[]): void => {
    // One that fails is repeated when the connection is ready again.
    if (channels.length > 0 && subscriber.status === "ready") {
      subscriber.subscribe(...channels.map(channelName)).catch(() => undefined);
    }
  };
  subscriber.on("ready", () => listen(listeners.channels()));
  subscriber.on("message", (name: string, text: string) => {
    const envelope = readEnvelope(text);
    if (envelope === undefined || envelope.from === replica || !name.startsWith(`${prefix}:`)) return;
    listeners.tell(name.slice(prefix.length + 1), envelope.message);
  });

  return {
    async publish(channel, message) {
      listeners.tell(channel, message);
      if (state().status === "degraded" || publisher.status !== "ready") return;
      const envelope: Envelope = { from: replica, message };
      await answered(publisher.publish(channelName(channel), JSON.stringify(envelope))).catch(() => undefined);
    },
    subscribe(channel, hear) {
      listeners.add(channel, hear);
      listen([channel]);
    },
    close: () => listeners.clear(),
  };
}

/** @returns undefined for what no replica of ours has sent. */
function readEnvelope(text: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("from" in value) || !("message" in value)) return undefined;
    const { from, message } = value;
    return typeof from === "string" && typeof message === "string" ? { from, message } : undefined;
  } catch {
    return undefined;
  }
}
