import { openTestStore } from "@mosaicstack/harness";
import { newId } from "@mosaicstack/foundation";
import type { Store } from "@mosaicstack/storage";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { watchSecondWall } from "../src/federation/wall-watch.ts";

const SOON = { lookMs: 10, lookAgainMs: 10 };

let store: Store;
let lines: { readonly level: number; readonly msg: string; readonly remedy?: string }[];
const log = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line) as never) });
beforeEach(async () => {
  store = await openTestStore({ vector: true });
  lines = [];
});
afterEach(() => store.close());

const read = () =>
  store.readAsPeer({ subjectUserId: newId(), personal: true, teams: "all", resources: ["tasks"] }, (walled) =>
    walled.query("select 1 as one", []),
  );
const isServed = () =>
  read().then(
    () => true,
    () => false,
  );

describe("while a gateway runs", () => {
  test("a second wall that somebody takes down stops what peers read, and is logged once; put up again, it is looked at soon", async () => {
    const end = watchSecondWall({ store, log, ...SOON });
    try {
      expect(await isServed()).toBe(true);
      await store.query("alter table notes disable row level security", []);
      await expect.poll(isServed).toBe(false);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(lines).toMatchObject([{ level: 50, msg: "peers are not served: the second wall is down" }]);
      expect(lines[0]?.remedy).toContain("delete from drizzle.__peer_reader_migrations");
      await store.query("alter table notes enable row level security", []);
      await expect.poll(isServed).toBe(true);
      expect(lines).toMatchObject([{ level: 50 }, { level: 30, msg: expect.stringContaining("stands again") }]);
    } finally {
      end();
    }
  });

  test("a database that cannot be asked changes nothing: what was seen before holds", async () => {
    let looks = 0;
    const away = {
      checkSecondWall: async () => {
        looks += 1;
        await store.query("select 1 / 0", []);
      },
    };
    const end = watchSecondWall({ store: away, log, ...SOON });
    await expect.poll(() => looks).toBeGreaterThan(2);
    end();
    expect(lines[0]).toMatchObject({ level: 40, msg: expect.stringContaining("cannot be looked at") });
    expect(await isServed()).toBe(true);
  });

  test("it is not looked at any more once the gateway stops, not even after a look that was under way", async () => {
    let looks = 0;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const checkSecondWall = async (): Promise<void> => {
      looks += 1;
      await held;
    };
    const end = watchSecondWall({ store: { checkSecondWall }, log, ...SOON });
    await expect.poll(() => looks).toBe(1);
    end();
    release();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(looks).toBe(1);
  });

  test("nor for the first time", async () => {
    let looks = 0;
    watchSecondWall({ store: { checkSecondWall: () => Promise.resolve(void (looks += 1)) }, log, ...SOON })();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(looks).toBe(0);
  });
});
