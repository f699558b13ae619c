import { Problem } from "@mosaicstack/foundation";
import type { Gateway } from "./gateway.ts";
import type { Invocation } from "./invocation.ts";
import { cliProblem } from "./problems.ts";

/** The gateway, signed in, for what only one that federates has. @throws Problem `federation_off` on a call to any other */
export async function federationGateway(invocation: Invocation): Promise<Gateway> {
  const gateway = await invocation.gateway();
  return {
    ...gateway,
    async call(method, path, options) {
      try {
        return await gateway.call(method, path, options);
      } catch (error) {
        if (error instanceof Problem && error.code === "route_unknown")
          throw cliProblem("federation_off", { cause: error });
        throw error;
      }
    },
  };
}
