import { problemTable } from "@mosaicstack/foundation";

/** What the command itself refuses. The HTTP status is what the exit status follows from; nothing here is sent anywhere. */
export const cliProblem = problemTable({
  usage_invalid: {
    status: 400,
    title: "The command line is not valid.",
    remedy: "Run the command with --help to see what it takes.",
  },
  input_needed: {
    status: 400,
    title: "A value is missing, and there is no terminal to ask on.",
    remedy: "Give the value as a flag, a file or standard input.",
  },
  confirmation_needed: {
    status: 400,
    title: "This can't be undone, and there is no terminal to ask on.",
    remedy: "Add --yes to do it, or --dry-run to see what it would do.",
  },
  url_invalid: {
    status: 400,
    title: "The gateway's address is not valid.",
    remedy: "Give the address people open, such as https://mosaic.example or http://127.0.0.1:14242.",
  },
  plain_http_refused: {
    status: 400,
    title: "An API key would cross the network unencrypted.",
    remedy: "Use https://. Plain http:// is only for this machine's own addresses, such as http://127.0.0.1:14242.",
  },
  not_signed_in: {
    status: 401,
    title: "There is no API key for this gateway.",
    remedy: "Run `mosaic login`, or set MOSAIC_API_KEY_FILE to a file that holds a key.",
  },
  row_unknown: {
    status: 404,
    title: "There is no such row, or none that you may see.",
    remedy: "List the resource to see what there is.",
  },
  team_unknown: {
    status: 404,
    title: "There is no such team, or none that you belong to.",
    remedy: "Run `mosaic team list` to see yours.",
  },
  user_unknown: {
    status: 404,
    title: "There is no such user.",
    remedy: "Run `mosaic user list` to see everyone.",
  },
  file_not_found: {
    status: 404,
    title: "There is no such file or folder.",
    remedy: "Check the path.",
  },
  federation_off: {
    status: 409,
    title: "This gateway does not federate: its tier is not `federated`.",
    remedy: "Run a gateway of tier federated: `mosaic init --plan federated-embedded` sets one up in one process.",
  },
  file_exists: {
    status: 409,
    title: "The file exists already.",
    remedy: "Add --force to replace it, or choose another path.",
  },
  reference_ambiguous: {
    status: 409,
    title: "More than one row goes by that name.",
    remedy: "Give the id instead.",
  },
  file_unreadable: {
    status: 500,
    title: "The file can't be read.",
    remedy: "Check the path and its permissions.",
  },
  file_unwritable: {
    status: 500,
    title: "The file can't be written.",
    remedy: "Check the folder and its permissions.",
  },
  format_unknown: {
    status: 400,
    title: "The file's name does not say what is in it.",
    remedy: "Say so with --format.",
  },
  profile_unknown: {
    status: 500,
    title: "There is no profile of that name.",
    remedy: "Run `mosaic login --profile <name>` to make it.",
  },
  profiles_damaged: {
    status: 500,
    title: "The file of profiles can't be read.",
    remedy: "Correct or delete the file, then run `mosaic login`.",
  },
  answer_unreadable: {
    status: 500,
    title: "The answer is not one that a Mosaic gateway gives.",
    remedy: "Check the address: something else may be listening there.",
  },
  gateway_unreachable: {
    status: 503,
    title: "The gateway does not answer.",
    remedy:
      "Start it with `mosaic start`, or give its address with --url. `mosaic gateway doctor` looks for the cause.",
  },
  gateway_untrusted: {
    status: 503,
    title: "The gateway's TLS certificate is not trusted.",
    remedy: "Give the CA's certificate with --ca-file, or correct the address.",
  },
  gateway_timeout: {
    status: 504,
    title: "The gateway did not answer in time.",
    remedy: "Try again; `mosaic gateway doctor` looks for the cause.",
  },
  demo_gateway_failed: {
    status: 500,
    title: "A gateway of the demo failed.",
    remedy: "Look at what it said above; `mosaic start` in an empty folder shows whether a gateway runs here at all.",
  },
  demo_not_as_expected: {
    status: 500,
    title: "The demo saw something else than it should.",
    remedy: "Run it again; if it stays, please report it with this message.",
  },
  interrupted: {
    status: 499,
    title: "Stopped before the end.",
    remedy: "Run the command again; what was done stays done.",
  },
});
