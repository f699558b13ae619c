export { dumpDatabase } from "./database-dump.ts";
export { openTestStore, testSnapshotFile } from "./embedded-database.ts";
export { enroll, type Enrolled, type NewPeer } from "./enroll.ts";
export {
  type GatewayOptions,
  type GatewayServices,
  type StepCaFiles,
  startGateway,
  type TestGateway,
  type TestUser,
} from "./gateway.ts";
export { listEverything, type WholeList } from "./list-everything.ts";
export { type Relay, type RelayMode, startRelay } from "./relay.ts";
export { type Answer, type Json, type Method, type RestClient } from "./rest-client.ts";
