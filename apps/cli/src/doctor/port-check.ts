import { createServer } from "node:net";
import type { Config } from "@mosaicstack/config";
import { type Check, fault, ok, skipped } from "./check.ts";

/** Whether the gateway, which is down, could open the ports it is to listen on. Each is opened for a moment. */
export async function checkPorts(config: Config): Promise<readonly Check[]> {
  const listeners = [
    { name: "port for people", setting: "http", ...config.http },
    ...(config.tier === "federated" ? [{ name: "port for peers", setting: "federation", ...config.federation }] : []),
  ];
  return await Promise.all(
    listeners.map(async ({ name, setting, host, port }) => {
      if (port === 0) return ok(name, "any free one");
      const where = `${host}:${port}`;
      const why = await whyNot(host, port);
      switch (why) {
        case undefined:
          return ok(name, `${where} is free`);
        case "EADDRINUSE":
          return { ...fault(name, "port_in_use", `Another program has ${where}.`, useAnother(setting)), host, port };
        case "EACCES":
          return { ...fault(name, "port_forbidden", `This user may not listen on ${where}.`), host, port };
        case "EADDRNOTAVAIL":
        case "ENOTFOUND":
          return {
            ...fault(name, "address_unavailable", `${host} is no address of this machine (${setting}.host).`),
            host,
          };
        default:
          return skipped(name, `whether ${where} is free can't be told (${why})`);
      }
    }),
  );
}

function useAnother(setting: string): string {
  return `Stop that program, or set ${setting}.port to a free one.`;
}

async function whyNot(host: string, port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
