import { startGateway } from "@mosaicstack/harness";
import { twoGateways } from "./acceptance/two-gateways.ts";

twoGateways(startGateway);
