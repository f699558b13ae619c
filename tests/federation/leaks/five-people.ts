import { openStage } from "./stage.ts";
import type { LeakScene } from "./suite.ts";
import type { World } from "./world.ts";

/** Five people in three teams, whose rows and memberships are generated. */
export const fivePeople: LeakScene<World> = { whose: "five people's", unwalledWorlds: 40, open: openStage };
