import { resolve } from "node:path";
import { assembleRuntimeTree } from "./build/runtime-tree.ts";
import { targetFolder } from "./build/target-folder.ts";

const folder = targetFolder("build:runtime", "THIRD-PARTY-LICENSES.txt");
const { built, installed, bytes } = await assembleRuntimeTree(resolve(import.meta.dirname, ".."), folder);
console.log(`${folder}  ${built.name} ${built.version}, ${(bytes / 1e6).toFixed(1)} MB`);
console.log(`beside the bundle: ${installed.join(", ")}`);
