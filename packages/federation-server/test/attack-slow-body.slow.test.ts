import { connect } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addUser, grantAndEnroll, type ServingGateway, startServingGateway } from "./serving-gateway.ts";

let gateway: ServingGateway;
beforeAll(async () => {
  gateway = await startServingGateway();
});
afterAll(() => gateway.stop());

test("a body that drips holds a turn for no longer than a request may take to arrive", async () => {
  const ada = await addUser(gateway.store, "ada");
  const { keys, grant } = await grantAndEnroll(gateway, ada, { resources: ["tasks"], include_personal: true });
  const socket = connect({ host: "127.0.0.1", port: gateway.port, ca: gateway.rootPem, ...keys });
  socket.on("error", () => undefined).resume();
  const startedAt = performance.now();
  socket.write(
    "POST /federation/v1/list HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{",
  );
  const drip = setInterval(() => socket.write(" "), 1000);
  await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  clearInterval(drip);
  expect(performance.now() - startedAt).toBeLessThan(14_000);
  await expect.poll(() => gateway.liveSockets.count(grant.id)).toBe(0);
}, 60_000);
