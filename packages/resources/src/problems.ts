import { problemTable } from "@mosaicstack/foundation";

/** The error table of resources. docs/errors.md lists the same codes. */
export const resourceProblem = problemTable({
  invalid_input: {
    status: 400,
    title: "The request has a value that is not allowed.",
    remedy: "Correct the value at `path` and send the request again.",
  },
  not_found: {
    status: 404,
    title: "No such row, or none that you may see.",
    remedy: "Check the id; list the resource to see what is visible to you.",
  },
  unknown_resource: {
    status: 404,
    title: "There is no resource of that name.",
    remedy: "Ask for `capabilities` to see the names.",
  },
  unknown_team: {
    status: 404,
    title: "No such team, or none that you belong to.",
    remedy: "List `teams` to see yours, or ask the team's owner to add you.",
  },
  read_only_resource: {
    status: 405,
    title: "Rows of this resource are not written this way.",
    remedy: "Ask for `capabilities` to see which resources can be written.",
  },
  key_taken: {
    status: 409,
    title: "Another row of the same space has this key.",
    remedy: "Choose another key, or edit the row that has it.",
  },
  idempotency_key_reused: {
    status: 409,
    title: "This Idempotency-Key was used for a different request.",
    remedy: "Use a new key for a new request, and the same key only to retry the same one.",
  },
});
