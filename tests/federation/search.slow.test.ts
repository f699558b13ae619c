import { startGateway } from "@mosaicstack/harness";
import { blendedSearch } from "./acceptance/blended-search.ts";

blendedSearch(startGateway);
