import { startGateway } from "@mosaicstack/harness";
import { auditOfRequests } from "./acceptance/audit-of-requests.ts";

auditOfRequests(startGateway);
