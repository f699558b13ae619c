import { denialMatrix } from "./denial-matrix.ts";
import { startServingGateway } from "./serving-gateway.ts";

denialMatrix(startServingGateway);
