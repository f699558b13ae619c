import { register } from "node:module";

// For `node --import`: every module that is loaded from here on is written to the file MODULE_TRACE names.
register("./module-trace-hooks.mjs", import.meta.url, { data: { traceFile: process.env.MODULE_TRACE } });
