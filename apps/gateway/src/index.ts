export type { Principal, Role } from "./auth/principal.ts";
export { openStore } from "./bootstrap/open-services.ts";
export { composeGateway, type Gateway, type GatewayDependencies, type GatewayUrls } from "./compose.ts";
export { createLog } from "./logging.ts";
export { type Announcement, type RunOptions, runGateway } from "./main.ts";
export { gatewayProblem } from "./problems.ts";
