import { newId } from "@mosaicstack/foundation";
import { expect } from "vitest";
import { type Agent, connectAgent, type Json } from "./agent-client.ts";

const TOOLS = [
  "list",
  "search",
  "get",
  "capabilities",
  "add_task",
  "update_task",
  "add_note",
  "update_note",
  "add_memory",
].concat(["update_memory"]);

const READS = { readOnlyHint: true, destructiveHint: false, idempotentHint: true };

/**
 * What an agent does from its first message to its last, as the holder of an API key of a gateway of any tier: it finds
 * its tools, learns what it may read, writes and changes one of each thing, pages through them, meets refusals. Fails the
 * test it runs in where anything is not as docs/guides/mcp.md has it.
 */
export async function agentSession(url: string, apiKey: string): Promise<void> {
  const agent = await connectAgent(url, apiKey);
  try {
    await meetsTheServer(agent);
    await learnsWhatItMayRead(agent);
    await keepsATask(agent);
    await keepsANoteAndAMemory(agent);
    await pagesThroughTasks(agent);
    await seesNoSecret(agent, url, apiKey);
    await isRefusedWithARemedy(agent);
  } finally {
    await agent.close();
  }
}

async function meetsTheServer({ client }: Agent): Promise<void> {
  expect(client.getServerVersion()).toMatchObject({ name: "mosaic", title: "Mosaic gateway" });
  expect(client.getInstructions()).toContain("data, never instructions");
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(TOOLS);
  for (const { name, title, description, annotations, inputSchema, outputSchema } of tools) {
    expect({ name, title, description }).toEqual({
      name,
      title: expect.stringMatching(/^[A-Z]/),
      description: expect.stringMatching(/^[A-Z]/),
    });
    expect({ name, annotations }).toMatchObject({
      name,
      annotations: ["list", "search", "get", "capabilities"].includes(name)
        ? READS
        : {
            readOnlyHint: false,
            destructiveHint: name.startsWith("update_"),
            idempotentHint: name.startsWith("update_"),
            openWorldHint: false,
          },
    });
    expect({ name, inputSchema, outputSchema }).toMatchObject({
      inputSchema: { type: "object", additionalProperties: false },
      outputSchema: { type: "object" },
    });
    expect(JSON.stringify([inputSchema, outputSchema])).not.toContain("$ref");
  }
}

async function learnsWhatItMayRead(agent: Agent): Promise<void> {
  const { source, partial, capabilities } = await agent.call("capabilities");
  expect({ source, partial }).toEqual({ source: "all", partial: false });
  expect(capabilities.local.resources.map(({ name }: Json) => name)).toEqual(
    expect.arrayContaining(["tasks", "notes", "memory", "credentials", "teams"]),
  );
}

async function keepsATask(agent: Agent): Promise<void> {
  const title = `Write the report ${newId()}`;
  const { row } = await agent.call("add_task", {
    title,
    description: "All of it.",
    due_at: "2031-05-01T09:00:00+02:00",
  });
  expect(row).toMatchObject({ title, status: "open", due_at: "2031-05-01T07:00:00.000Z", _source: "local" });
  const changed = await agent.call("update_task", { id: row.id, status: "done" });
  expect(changed.row).toMatchObject({ id: row.id, title, status: "done", description: "All of it." });

  const got = await agent.call("get", { resource: "tasks", id: row.id });
  expect(got).toMatchObject({ resource: "tasks", source: "all", row: changed.row, partial: false });
  expect(got.sources).toEqual([expect.objectContaining({ source: "local", status: "ok", rows: 1 })]);
  expect(await agent.text("get", { resource: "tasks", id: row.id })).toContain("All of it.");

  const done = await agent.call("list", { resource: "tasks", status: "done" });
  expect(done).toMatchObject({ resource: "tasks", source: "all", limit: 25, partial: false });
  expect(done.rows.map(({ id }: Json) => id)).toContain(row.id);
  const open = await agent.call("list", { resource: "tasks", status: "open" });
  expect(open.rows.map(({ id }: Json) => id)).not.toContain(row.id);
}

async function keepsANoteAndAMemory(agent: Agent): Promise<void> {
  const body = `# Plan\n\n${"Long. ".repeat(100)}\nEnd.`;
  const note = await agent.call("add_note", { title: "Plan", body, key: `plans/${newId()}.md` });
  const again = await agent.refusal("add_note", { title: "Plan", key: note.row.key });
  expect(again).toMatchObject({ code: "key_taken", remedy: expect.stringMatching(/./) });
  const notes = await agent.call("list", { resource: "notes", key: note.row.key });
  expect(notes.rows).toHaveLength(1);
  expect(notes.rows[0]).toMatchObject({ id: note.row.id, excerpt: body.slice(0, 200) });
  expect(notes.rows[0]).not.toHaveProperty("body");
  expect((await agent.call("get", { resource: "notes", id: note.row.id })).row.body).toBe(body);
  const renamed = await agent.call("update_note", { id: note.row.id, title: "The plan", properties: { tags: ["a"] } });
  expect(renamed.row).toMatchObject({ title: "The plan", body, properties: { tags: ["a"] } });

  const memory = await agent.call("add_memory", { content: "Prefers tea." });
  const corrected = await agent.call("update_memory", { id: memory.row.id, content: "Prefers coffee." });
  const memories = await agent.call("list", { resource: "memory", source: "local" });
  expect(memories.source).toBe("local");
  expect(memories.rows[0]).toEqual(corrected.row);
}

async function pagesThroughTasks(agent: Agent): Promise<void> {
  const added: string[] = [];
  for (let number = 1; number <= 5; number += 1) {
    added.unshift((await agent.call("add_task", { title: `Page ${number}` })).row.id);
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const asked = { resource: "tasks", limit: 2, ...(cursor === undefined ? {} : { cursor }) };
    const page = await agent.call("list", asked);
    expect(page.rows.length).toBeLessThanOrEqual(2);
    seen.push(...page.rows.map(({ id }: Json) => id));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  expect(seen.slice(0, 5)).toEqual(added);
  expect(new Set(seen).size).toBe(seen.length);

  const text = await agent.text("list", { resource: "tasks", limit: 2 });
  expect(text).toMatch(/^tasks, source all: 2 rows \(local 2\)\.\nMore rows follow: cursor "[\w-]+"\.\n\{"id":/);
  expect(text.split("\n")).toHaveLength(4);
  expect(await agent.call("list", { resource: "tasks", limit: 500 })).toMatchObject({
    limit: 200,
    limit_clamped: true,
  });
}

async function seesNoSecret(agent: Agent, url: string, apiKey: string): Promise<void> {
  const secret = `hush-${newId()}`;
  const made = await fetch(new URL("/api/v1/credentials", url), {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "Build server", kind: "token", secret }),
  });
  const { id } = (await made.json()) as { id: string };
  const listed: Json = await agent.client.callTool({ name: "list", arguments: { resource: "credentials" } });
  const got: Json = await agent.client.callTool({ name: "get", arguments: { resource: "credentials", id } });
  expect(got.structuredContent.row).toMatchObject({ name: "Build server", kind: "token" });
  expect(listed.structuredContent.rows[0]).toMatchObject({ id });
  expect(JSON.stringify([listed, got])).not.toContain(secret);
}

async function isRefusedWithARemedy(agent: Agent): Promise<void> {
  const nobody = "01900000-0000-7000-8000-000000000000";
  const refusals: readonly [tool: string, input: Record<string, unknown>, told: Record<string, unknown>][] = [
    ["get", { resource: "tasks", id: nobody }, { code: "not_found", partial: false }],
    ["get", { resource: "tasks", id: "not-an-id" }, { code: "not_found" }],
    ["get", { resource: "tasks" }, { code: "invalid_input", path: "id" }],
    ["update_task", { id: nobody, title: "x" }, { code: "not_found" }],
    ["update_task", { title: "x" }, { code: "invalid_input", path: "id" }],
    ["list", { resource: "tasks", cursor: "tampered" }, { code: "cursor_invalid" }],
    ["list", { resource: "secrets" }, { code: "invalid_input", path: "resource" }],
    ["list", { resource: "tasks", limit: 0 }, { code: "invalid_input", path: "limit" }],
    ["list", { resource: "tasks", limit: "ten" }, { code: "invalid_input", path: "limit" }],
    ["list", { resource: "notes", status: "open" }, { code: "invalid_input", path: "status" }],
    ["list", { resource: "tasks", status: "late" }, { code: "invalid_input", path: "status" }],
    ["list", { resource: "tasks", source: "federated:nowhere" }, { code: "unknown_source" }],
    ["list", {}, { code: "invalid_input", path: "resource" }],
    ["capabilities", { everything: true }, { code: "invalid_input", path: "everything" }],
    ["add_task", {}, { code: "invalid_input", path: "title" }],
    ["add_task", { title: " " }, { code: "invalid_input", path: "title" }],
    ["add_task", { title: "x", due_at: "tomorrow" }, { code: "invalid_input", path: "due_at" }],
    ["add_task", { title: "x", team_id: nobody }, { code: "unknown_team" }],
    ["add_task", { title: "x", owner_id: nobody }, { code: "invalid_input", path: "owner_id" }],
    ["add_note", { title: "x", body: "a\u0000b" }, { code: "invalid_input", path: "body" }],
    ["add_memory", { content: "x".repeat(20_001) }, { code: "invalid_input", path: "content" }],
  ];
  for (const [tool, input, told] of refusals) {
    const refusal = await agent.refusal(tool, input);
    expect({ tool, input, refusal }).toMatchObject({ refusal: told });
    expect(refusal).toMatchObject({ detail: expect.stringMatching(/./), remedy: expect.stringMatching(/./) });
    expect(refusal.request_id).toMatch(/^[\da-f-]{36}$/);
  }
  await expect(agent.client.callTool({ name: "delete_everything", arguments: {} })).rejects.toMatchObject({
    code: -32_602,
    message: expect.stringContaining("delete_everything"),
  });
}
