#!/usr/bin/env node
// The command as it runs from a checkout: TypeScript straight from src. The shipped bundle has a bin of its own.
import { register } from "tsx/esm/api";

// Without `tsconfig: false` tsx would obey a tsconfig.json of whatever folder the command is called from.
register({ tsconfig: false });
await import("../src/main.ts");
