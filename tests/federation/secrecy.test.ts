import { startGateway } from "@mosaicstack/harness";
import { rowsOf, secrecySuite } from "./secrecy/suite.ts";

secrecySuite(async () => {
  const [home, work] = await Promise.all([
    startGateway({ tier: "federated", name: "home" }),
    startGateway({ tier: "federated", name: "work" }),
  ]);
  const stop = async (): Promise<void> => void (await Promise.all([home.stop(), work.stop()]));
  return { home, work, stored: rowsOf, keyCount: 4, stop };
});
