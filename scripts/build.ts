import { join } from "node:path";
import { buildPackage } from "./build/build-package.ts";

const root = join(import.meta.dirname, "..");
const { name, version, bytes, assets, dependencies } = await buildPackage(root, join(root, "dist/mosaic"));
console.log(`dist/mosaic  ${name} ${version}, ${(bytes / 1e6).toFixed(1)} MB of JavaScript`);
console.log(`beside it    ${assets.join(", ")}`);
console.log(
  `it installs  ${Object.entries(dependencies)
    .map(([each, at]) => `${each} ${at}`)
    .join(", ")}`,
);
