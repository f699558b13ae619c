import { createInProcessCoordination } from "@mosaicstack/coordination";
import type { Problem } from "@mosaicstack/foundation";
import { describe, expect, test } from "vitest";
import { clientNetworks } from "../src/client-networks.ts";
import { createEnrollmentLimits, type EnrollmentLimits } from "../src/enrollment-limits.ts";

const newLimits = (): EnrollmentLimits =>
  createEnrollmentLimits(createInProcessCoordination({ onFault: () => undefined }).limits);

/** Attempts that all come to nothing. @returns how many were let through before the first that was not */
async function refusedOf(
  limits: EnrollmentLimits,
  addressOf: (index: number) => string,
  most: number,
): Promise<number> {
  for (let index = 0; index < most; index += 1) {
    const refusal: unknown = await limits.count(addressOf(index)).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refusal === undefined) continue;
    expect(refusal).toMatchObject({ code: "rate_limited", status: 429 });
    expect((refusal as Problem).headers["retry-after"]).toMatch(/^[1-9]\d?$/);
    return index;
  }
  return most;
}

describe("refused enrollments", () => {
  test("from one IPv4 address: 100 in a minute, and no more", async () => {
    const limits = newLimits();
    const passed = await refusedOf(limits, () => "192.0.2.7", 200);
    expect(passed).toBeGreaterThanOrEqual(100);
    expect(passed).toBeLessThanOrEqual(102);
    // The same address, as a socket for both families names it.
    await expect(limits.count("::ffff:192.0.2.7")).rejects.toMatchObject({ code: "rate_limited" });
    await expect(limits.count("192.0.2.8")).resolves.toBeTypeOf("function");
  });

  test("from the addresses of one IPv6 /64: 100 together", async () => {
    const limits = newLimits();
    const passed = await refusedOf(limits, (index) => `2001:db8:1:2::${index.toString(16)}`, 200);
    expect(passed).toBeGreaterThanOrEqual(100);
    expect(passed).toBeLessThanOrEqual(102);
    await expect(limits.count("2001:db8:1:3::1")).resolves.toBeTypeOf("function");
  });

  test("from the networks of one IPv6 /48: 1,000 together", async () => {
    const limits = newLimits();
    const passed = await refusedOf(limits, (index) => `2001:db8:1:${(index % 500).toString(16)}::1`, 1500);
    expect(passed).toBeGreaterThanOrEqual(1000);
    expect(passed).toBeLessThanOrEqual(1040);
    await expect(limits.count("2001:db8:2::1")).resolves.toBeTypeOf("function");
  });

  test("one sender doesn't shut others out: what is refused for its own sake is nothing to the total", async () => {
    const limits = newLimits();
    for (let index = 0; index < 30_000; index += 1) await limits.count("192.0.2.7").catch(() => undefined);
    await expect(limits.count("198.51.100.1")).resolves.toBeTypeOf("function");
  });

  test("from everywhere: 12,000 in a minute, which guards the processor", async () => {
    const limits = newLimits();
    const passed = await refusedOf(limits, (index) => `10.${(index >> 8) % 200}.${index & 255}.1`, 20_000);
    expect(passed).toBeGreaterThanOrEqual(12_000);
    expect(passed).toBeLessThanOrEqual(13_500);
  });

  test("one that succeeds is taken off every count: any number may enroll through one address", async () => {
    const limits = newLimits();
    for (let index = 0; index < 500; index += 1) (await limits.count("2001:db8:1:2::1"))();
    expect(await refusedOf(limits, () => "2001:db8:1:2::1", 200)).toBeGreaterThanOrEqual(100);
  });
});

describe("a client's networks", () => {
  test.each([
    ["192.0.2.7", ["192.0.2.7"]],
    ["::ffff:192.0.2.7", ["192.0.2.7"]],
    ["::ffff:c000:207", ["192.0.2.7"]],
    ["2001:db8:1:2:3:4:5:6", ["2001:db8:1:2::/64", "2001:db8:1::/48"]],
    ["2001:DB8:1:2::", ["2001:db8:1:2::/64", "2001:db8:1::/48"]],
    ["2001:db8::1", ["2001:db8:0:0::/64", "2001:db8:0::/48"]],
    ["::1", ["0:0:0:0::/64", "0:0:0::/48"]],
    ["::", ["0:0:0:0::/64", "0:0:0::/48"]],
    ["fe80::1%eth0", ["fe80:0:0:0::/64", "fe80:0:0::/48"]],
    ["64:ff9b::192.0.2.7", ["64:ff9b:0:0::/64", "64:ff9b:0::/48"]],
    ["", [""]],
    ["no address", ["no address"]],
    ["1::2::3", ["1::2::3"]],
  ])("of %j are %j", (address, names) => {
    expect(clientNetworks(address).map(({ name }) => name)).toEqual(names);
  });
});
