import { problemTable } from "@mosaicstack/foundation";

/** This package's refusals. None of them ever carries a value that was given, only its name. */
export const problem = problemTable({
  config_invalid: {
    status: 500,
    title: "The configuration is not valid.",
    remedy: "Correct each fault listed; docs/guides/configuration.md describes every setting.",
  },
  secret_missing: {
    status: 500,
    title: "A secret this tier needs is not set.",
    remedy: "Set BETTER_AUTH_SECRET, or BETTER_AUTH_SECRET_FILE with the path of a file that holds it.",
  },
  secret_file_exposed: {
    status: 500,
    title: "The generated secret can be reached by other users of this machine.",
    remedy: "Run chmod 600 on the file and chmod 700 on its folder.",
  },
  secret_file_damaged: {
    status: 500,
    title: "The generated secret can't be read.",
    remedy:
      "Restore the file from a backup: what was sealed with it can't be opened without it. On a gateway whose data may be lost, delete the data directory.",
  },
  secret_conflict: {
    status: 500,
    title: "BETTER_AUTH_SECRET is set, and differs from the secret generated in the data directory.",
    remedy:
      "Unset BETTER_AUTH_SECRET to go on with the generated one, or delete the generated file to replace it: sessions end, and what was sealed without a MOSAIC_SEAL_KEY can't be opened any more.",
  },
});
