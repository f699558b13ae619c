import { isIPv4, isIPv6 } from "node:net";

/** A network that one sender has all addresses of, or may have. */
export interface ClientNetwork {
  /** E.g. `192.0.2.7`, `2001:db8:1:2::/64`. */
  readonly name: string;
  /** How many customers of one provider it stands for, roughly: what one address may, it may so many times. */
  readonly weight: number;
}

/**
 * The networks by which an address is counted. An IPv6 host picks among 2^64 addresses as it likes, and whoever has a /48 among 65,536
 * such networks (RFC 6177): both are counted. An IPv4 address written as IPv6 is the IPv4 address.
 */
export function clientNetworks(address: string): readonly ClientNetwork[] {
  const groups = groupsOf(address);
  if (groups === undefined) return [{ name: address, weight: 1 }];
  const [a = 0, b = 0, c = 0, d = 0, , mapped, high = 0, low = 0] = groups;
  if (a === 0 && b === 0 && c === 0 && d === 0 && mapped === 0xffff) {
    return [{ name: [high >> 8, high & 255, low >> 8, low & 255].join("."), weight: 1 }];
  }
  const name = (count: number): string =>
    `${groups
      .slice(0, count)
      .map((group) => group.toString(16))
      .join(":")}::/${count * 16}`;
  return [
    { name: name(4), weight: 1 },
    { name: name(3), weight: 10 },
  ];
}

/** The eight groups of an IPv6 address; undefined: it is none. */
function groupsOf(address: string): number[] | undefined {
  const text = address.split("%")[0] ?? "";
  if (!isIPv6(text)) return undefined;
  const [before = [], after = []] = text.split("::").map(readGroups);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function readGroups(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (!isIPv4(group)) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}
