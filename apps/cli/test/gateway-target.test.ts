import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readGatewayUrl, resolveTarget, type TargetOptions } from "../src/gateway-target.ts";
import { saveProfile } from "../src/profiles.ts";
import { testHost, temporaryFolder } from "./run-here.ts";

const WORK = { name: "work", url: "https://work.example", apiKey: "key-work" };
const HOME = { name: "home", url: "http://127.0.0.1:14242", apiKey: "key-home" };

async function target(options: TargetOptions, variables: Record<string, string> = {}) {
  const directory = await temporaryFolder();
  const { host } = testHost(directory, { variables });
  await saveProfile(host.environment.configDirectory, WORK);
  await saveProfile(host.environment.configDirectory, HOME);
  const { url, apiKey, profile } = await resolveTarget(host, options);
  return { url, apiKey, profile: profile?.name };
}

describe("which gateway, and as whom", () => {
  test("the current profile's when nothing is said", async () => {
    expect(await target({})).toEqual({ url: HOME.url, apiKey: "key-home", profile: "home" });
  });

  test("a flag wins over a variable, a variable over the current profile", async () => {
    const variables = { MOSAIC_PROFILE: "work" };
    expect(await target({}, variables)).toMatchObject({ profile: "work", apiKey: "key-work" });
    expect(await target({ profile: "home" }, variables)).toMatchObject({ profile: "home" });
    expect(await target({ url: "https://flag.example" }, { MOSAIC_URL: "https://variable.example" })).toMatchObject({
      url: "https://flag.example",
    });
  });

  test("a profile is found by its gateway's address", async () => {
    expect(await target({ url: "https://work.example/" })).toEqual({
      url: WORK.url,
      apiKey: "key-work",
      profile: "work",
    });
  });

  test("a profile's key never goes to another gateway", async () => {
    expect(await target({ url: "https://evil.example" })).toEqual({
      url: "https://evil.example",
      apiKey: undefined,
      profile: undefined,
    });
    expect(await target({ url: "https://evil.example", profile: "work" })).toMatchObject({ apiKey: undefined });
    expect(await target({ profile: "work" }, { MOSAIC_URL: "https://evil.example" })).toMatchObject({
      apiKey: undefined,
    });
  });

  test("a key of the environment is for the gateway that is asked", async () => {
    expect(await target({ url: "https://other.example" }, { MOSAIC_API_KEY: "key-env" })).toMatchObject({
      apiKey: "key-env",
    });
  });

  test("a profile that is asked for by a flag keeps its own key", async () => {
    expect(await target({ profile: "work" }, { MOSAIC_API_KEY: "key-env" })).toMatchObject({ apiKey: "key-work" });
    expect(await target({}, { MOSAIC_API_KEY: "key-env" })).toMatchObject({ profile: "home", apiKey: "key-env" });
  });

  test("a key may stand in a file", async () => {
    const directory = await temporaryFolder();
    await writeFile(join(directory, "key"), "key-file\n");
    const { host } = testHost(directory, { variables: { MOSAIC_API_KEY_FILE: "key" } });
    expect(await resolveTarget(host, {})).toMatchObject({ apiKey: "key-file" });
  });

  test("a profile that is not there is a fault of the configuration", async () => {
    await expect(target({ profile: "nowhere" })).rejects.toMatchObject({ code: "profile_unknown" });
  });
});

describe("an address", () => {
  test.each([
    ["https://mosaic.example/some/path?x#y", "https://mosaic.example"],
    ["http://localhost:14242", "http://localhost:14242"],
    ["http://127.9.9.9:1", "http://127.9.9.9:1"],
    ["http://[::1]:1", "http://[::1]:1"],
  ])("%s is %s", (text, origin) => {
    expect(readGatewayUrl(text)).toBe(origin);
  });

  test.each([
    ["http://mosaic.example", "plain_http_refused"],
    ["http://10.0.0.1", "plain_http_refused"],
    ["http://127.0.0.1.evil.example", "plain_http_refused"],
    ["ftp://mosaic.example", "url_invalid"],
    ["mosaic.example", "url_invalid"],
    ["https://ada:secret@mosaic.example", "url_invalid"],
    ["", "url_invalid"],
  ])("%s is refused: %s", (text, code) => {
    expect(() => readGatewayUrl(text)).toThrow(expect.objectContaining({ code }));
  });

  test("a refusal does not repeat a password", () => {
    expect(() => readGatewayUrl("https://ada:secret@mosaic.example")).toThrow(/^(?!.*secret)/u);
  });
});
