import { startGateway } from "@mosaicstack/harness";
import { peersThatFail } from "./acceptance/peers-that-fail.ts";

peersThatFail(startGateway);
