import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPgliteInMemory } from "@mosaicstack/storage";
import { openApiDocument } from "./repository/open-api-document.ts";

const document = await openApiDocument(() => openPgliteInMemory({ vector: true }));
writeFileSync(join(import.meta.dirname, "..", "docs", "openapi.json"), document);
console.log("wrote docs/openapi.json");
