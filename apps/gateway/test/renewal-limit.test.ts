import { Problem } from "@mosaicstack/foundation";
import { beforeEach, expect, test } from "vitest";
import { createRenewalLimit, type RenewalLimit } from "../src/federation/renewal-limit.ts";

const peer = { userId: "ada", name: "work" };
let now = 0;
let limit: RenewalLimit;
beforeEach(() => {
  now = Date.parse("2026-11-23T12:00:00Z");
  limit = createRenewalLimit({ clock: { now: () => new Date(now) } });
});

/** `done`, what the work failed with, or how many seconds to wait. */
async function renew(work: () => Promise<unknown> = async () => undefined, of = peer): Promise<string> {
  return await limit.run(of, work).then(
    () => "done",
    (error: unknown) => {
      if (error instanceof Problem)
        return `${error.status} ${error.code}, retry-after ${error.headers?.["retry-after"]}`;
      return String(error);
    },
  );
}
const failing = async () => {
  throw new Error("the peer is away");
};

test("429: a renewal within ten seconds of one that failed, with the seconds to wait", async () => {
  expect(await renew(failing)).toBe("Error: the peer is away");
  now += 3_500;
  expect(await renew()).toBe("429 rate_limited, retry-after 7");
  now += 6_499;
  expect(await renew()).toBe("429 rate_limited, retry-after 1");
  now += 1;
  expect(await renew()).toBe("done");
});

test("429: a renewal while another one of the same peer is under way, however long that takes", async () => {
  let finish = (): void => undefined;
  const first = renew(() => new Promise<void>((resolve) => (finish = resolve)));
  expect(await renew()).toBe("429 rate_limited, retry-after 10");
  now += 25_000;
  expect(await renew()).toBe("429 rate_limited, retry-after 1");
  finish();
  expect(await first).toBe("done");
  expect(await renew()).toBe("done");
});

test("one that succeeded holds nobody back: the serving side sees to those", async () => {
  expect(await renew()).toBe("done");
  expect(await renew()).toBe("done");
});

test("other peers, and other users' peers of the same name, are not held back", async () => {
  await renew(failing);
  expect(await renew(undefined, { userId: "ada", name: "club" })).toBe("done");
  expect(await renew(undefined, { userId: "bob", name: "work" })).toBe("done");
});

test("a clock that was set back keeps nobody waiting", async () => {
  await renew(failing);
  now -= 3_600_000;
  expect(await renew()).toBe("done");
});
