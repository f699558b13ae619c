import { problemTable } from "@mosaicstack/foundation";

/** What coordination refuses or fails with. Neither detail nor cause ever holds a password or a user's name. */
export const problem = problemTable({
  valkey_unreachable: {
    status: 503,
    title: "Valkey can't be reached.",
    remedy: "Check that Valkey (or Redis) runs, and that the host, port, user and password are right.",
  },
  valkey_unusable: {
    status: 503,
    title: "Valkey can't be used for jobs.",
    remedy: "Run Valkey 7.2 or newer, or Redis 6.2 or newer.",
  },
});
