import { z } from "zod";

/** `source` of every tool that reads. */
export const source = z
  .string()
  .max(80)
  .default("all")
  .describe(
    "`all` (the default): this gateway and those it may read; `local`: this gateway only; `federated:<peer>`: one of them",
  );

/** `team` of every tool that reads many rows. */
export const team = z
  .union([z.literal("personal"), z.uuid()])
  .optional()
  .describe("Only the rows of the team of this id, or only personal ones");
