import type { AddressInfo } from "node:net";

/** The origin of a listener. One on all interfaces is dialled on this machine's own name, unless a public URL says where. */
export function listenerUrl(scheme: "http" | "https", { address, port, family }: AddressInfo): string {
  if (address === "0.0.0.0" || address === "::") return `${scheme}://localhost:${port}`;
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
