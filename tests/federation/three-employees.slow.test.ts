import { startGateway } from "@mosaicstack/harness";
import { threeEmployees } from "./acceptance/three-employees.ts";

threeEmployees(startGateway);
