// Whether the gateway in this container lives: /healthz on loopback, over HTTPS or HTTP, whichever its listener speaks.
// Not /readyz: a gateway waits for a lost database by itself, and restarting it would only make the outage longer.
import { type ClientRequest, get as getPlain, type IncomingMessage } from "node:http";
import { get as getSecure } from "node:https";

const WAIT_MS = 2000;
const port = Number(process.env["MOSAIC_HTTP_PORT"] ?? 14_242);
const place = { host: "127.0.0.1", port, path: "/healthz", agent: false, timeout: WAIT_MS };

/** Resolves with the status; rejects where nothing speaks that protocol there. */
async function statusOf(
  ask: (hear: (response: IncomingMessage) => void) => ClientRequest,
): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const request = ask((response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer in ${WAIT_MS} ms`)));
    request.on("error", reject);
  });
}

try {
  // On loopback, and nothing is sent: whose certificate it is makes no difference here.
  const status = await statusOf((hear) => getSecure({ ...place, rejectUnauthorized: false }, hear)).catch(
    async () => await statusOf((hear) => getPlain(place, hear)),
  );
  if (status !== 200) throw new Error(`/healthz answers ${status ?? "nothing"}`);
} catch (error) {
  process.stderr.write(`port ${port}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
