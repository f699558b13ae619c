import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { connect } from "node:tls";
import { Agent, request } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isServerCertificateDue, issueServerCertificate } from "../src/index.ts";
import { DAY_MS, join } from "./renewing-peer.ts";
import { type PeerKeys, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

let gateway: ServingGateway;

beforeAll(async () => {
  gateway = await startServingGateway();
});
beforeEach(() => gateway.setClockRight());
afterAll(() => gateway.stop());

/** The serial of the certificate a new connection is shown. */
async function presentedSerial(keys: PeerKeys): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port: gateway.port, ca: gateway.rootPem, ...keys });
  await once(socket, "secureConnect");
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

test("requests go on, on old connections and on new ones, while the server certificate is swapped 20 times", async () => {
  const { keys, grantId } = await join(gateway);
  const connectOptions = { ca: gateway.rootPem, ...keys };
  const kept = new Agent({ connections: 8, connect: connectOptions });
  const swaps = { left: 20 };
  const statuses: number[] = [];
  async function call(dispatcher: Agent): Promise<void> {
    const { statusCode, body } = await request(`https://127.0.0.1:${gateway.port}/federation/v1/capabilities`, {
      method: "POST",
      dispatcher,
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    await body.text();
    statuses.push(statusCode);
  }
  async function callOnAndOn(): Promise<void> {
    while (swaps.left > 0) await call(kept);
  }
  async function callAnew(): Promise<void> {
    while (swaps.left > 0) {
      const fresh = new Agent({ connections: 1, connect: connectOptions });
      await call(fresh);
      await fresh.close();
    }
  }
  const callers = [...Array.from({ length: 8 }, callOnAndOn), callAnew(), callAnew()];
  const serials = new Set<string>();
  const certificates = await Promise.all(
    Array.from({ length: 20 }, () => issueServerCertificate(gateway.authority, gateway.clock, [])),
  );
  for (const certificate of certificates) {
    const before = statuses.length;
    gateway.listener.present(certificate);
    serials.add(await presentedSerial(keys));
    while (statuses.length < before + 10) await setTimeout(5);
    swaps.left -= 1;
  }
  await Promise.all(callers);
  await kept.close();
  expect(serials.size).toBe(20);
  expect(statuses.length).toBeGreaterThanOrEqual(200);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(gateway.records.filter(({ grantId: id, outcome }) => id === grantId && outcome !== "ok")).toEqual([]);
});

describe("a server certificate is due", () => {
  test("at two thirds of its life, and not before", async () => {
    const certificate = await issueServerCertificate(gateway.authority, gateway.clock, []);
    const now = gateway.clock.now().getTime();
    expect(isServerCertificateDue(certificate, new Date(now))).toBe(false);
    expect(isServerCertificateDue(certificate, new Date(now + 59 * DAY_MS))).toBe(false);
    expect(isServerCertificateDue(certificate, new Date(now + 61 * DAY_MS))).toBe(true);
  });

  test("sharp edge 9: where it was made by a clock two days ahead, since nobody would take it yet", async () => {
    gateway.advance(2 * DAY_MS);
    const certificate = await issueServerCertificate(gateway.authority, gateway.clock, []);
    gateway.setClockRight();
    expect(isServerCertificateDue(certificate, gateway.clock.now())).toBe(true);
  });
});
