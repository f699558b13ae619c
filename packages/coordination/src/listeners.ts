import type { OnFault } from "./coordination.ts";

/** Who listens to which channel in this process. */
export interface Listeners {
  add(channel: string, hear: (message: string) => void): void;
  /** Tells each; what one throws keeps it from nobody else. */
  tell(channel: string, message: string): void;
  channels(): readonly string[];
  clear(): void;
}

/** No listeners yet; their faults are reported as those of `channel <name>`. */
export function createListeners(onFault: OnFault): Listeners {
  const heard = new Map<string, ((message: string) => void)[]>();
  return {
    add(channel, hear) {
      heard.set(channel, [...(heard.get(channel) ?? []), hear]);
    },
    tell(channel, message) {
      for (const hear of heard.get(channel) ?? []) {
        try {
          hear(message);
        } catch (error) {
          onFault(`channel ${channel}`, error);
        }
      }
    },
    channels: () => [...heard.keys()],
    clear: () => heard.clear(),
  };
}
