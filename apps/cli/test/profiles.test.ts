import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { profilesFile, readProfiles, saveProfile, writeProfiles } from "../src/profiles.ts";
import { temporaryFolder } from "./run-here.ts";

const work = { name: "work", url: "https://work.example", apiKey: "key-work", apiKeyId: "id-1", caFile: "/ca.pem" };
const home = { name: "home", url: "http://127.0.0.1:14242", apiKey: "key-home" };

describe("profiles", () => {
  test("there are none before the first", async () => {
    expect(await readProfiles(await temporaryFolder())).toEqual({ current: undefined, profiles: [], exposed: false });
  });

  test("come back as they were saved, the last one current", async () => {
    const folder = join(await temporaryFolder(), "mosaic");
    await saveProfile(folder, home);
    await saveProfile(folder, work);
    expect(await readProfiles(folder)).toEqual({ current: "work", profiles: [home, work], exposed: false });
  });

  test("saving one of the same name replaces it", async () => {
    const folder = await temporaryFolder();
    await saveProfile(folder, work);
    await saveProfile(folder, { ...work, apiKey: "new" });
    expect((await readProfiles(folder)).profiles).toEqual([{ ...work, apiKey: "new" }]);
  });

  test("only their owner can read the file and its folder", async () => {
    const folder = join(await temporaryFolder(), "deep", "mosaic");
    await saveProfile(folder, home);
    expect((await stat(profilesFile(folder))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  test("a file that others can read is noticed, and closed by the next save", async () => {
    const folder = await temporaryFolder();
    await saveProfile(folder, home);
    await chmod(profilesFile(folder), 0o644);
    const read = await readProfiles(folder);
    expect(read.exposed).toBe(true);
    await writeProfiles(folder, read);
    expect((await readProfiles(folder)).exposed).toBe(false);
  });

  test.each([
    ["not JSON", '{"version":1,"profiles":{"a":{"url":"u","api_key":"hunter2"'],
    ["another version", '{"version":2,"profiles":{}}'],
    ["no profiles", '{"version":1}'],
    ["a profile without a key", '{"version":1,"profiles":{"a":{"url":"https://x"}}}'],
  ])("a damaged file (%s) is refused, and its text not repeated", async (_, text) => {
    const folder = await temporaryFolder();
    await mkdir(folder, { recursive: true });
    await writeFile(profilesFile(folder), text);
    const refusal = readProfiles(folder);
    await expect(refusal).rejects.toMatchObject({ code: "profiles_damaged" });
    await expect(refusal).rejects.not.toThrow(/hunter2/u);
    // A damaged file is not overwritten either: it may be somebody's only copy of a key.
    await expect(saveProfile(folder, home)).rejects.toMatchObject({ code: "profiles_damaged" });
    expect(await readFile(profilesFile(folder), "utf8")).toBe(text);
  });
});
