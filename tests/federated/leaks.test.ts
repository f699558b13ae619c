import { fivePeople } from "../federation/leaks/five-people.ts";
import { leakSuite } from "../federation/leaks/suite.ts";
import { startOnSharedServices } from "./real-gateway.ts";

leakSuite(async (aroundStore) => {
  const { gateway, stop } = await startOnSharedServices("leaks", 9, { aroundStore });
  return { work: gateway, stop };
}, fivePeople);
