import { startGateway } from "@mosaicstack/harness";
import { fivePeople } from "./leaks/five-people.ts";
import { leakSuite } from "./leaks/suite.ts";

leakSuite(async (aroundStore) => {
  const work = await startGateway({ tier: "federated", name: "work", aroundStore });
  return { work, stop: () => work.stop() };
}, fivePeople);
