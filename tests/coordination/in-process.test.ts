import { createInProcessCoordination } from "@mosaicstack/coordination";
import { coordinationContract } from "./coordination-contract.ts";

coordinationContract(async (onFault) => createInProcessCoordination({ onFault }));
