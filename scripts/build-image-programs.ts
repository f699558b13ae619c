import { resolve } from "node:path";
import { buildImagePrograms } from "./build/image-programs.ts";
import { targetFolder } from "./build/target-folder.ts";

const folder = targetFolder("build:image-programs", "health-check.mjs");
const files = await buildImagePrograms(resolve(import.meta.dirname, ".."), folder);
console.log(`${folder}  ${files.join(", ")}`);
