import { createServer } from "node:net";

/** Where every service listens, and nowhere else. */
export const HOST = "127.0.0.1";

/** Free when asked; whoever takes it in the moment before the server does makes the start fail, which says so. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no free port"));
      });
    });
  });
}
