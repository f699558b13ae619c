import { Problem } from "@mosaicstack/foundation";
import { createSigningRequest } from "@mosaicstack/federation-protocol";
import { redeemInvite } from "../../src/enrollment.ts";

/** Run in a process of its own, whose public roots a test has chosen. Prints the outcome's code. */
const [enrollUrl = "", token = "", caFingerprint = ""] = process.argv.slice(2);
const { csrPem } = await createSigningRequest();
const outcome = await redeemInvite({ enrollUrl, token, caFingerprint }, csrPem, 10_000).then(
  () => "ok",
  (error: unknown) => (error instanceof Problem ? error.code : String(error)),
);
process.stdout.write(outcome);
