import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

/** Untyped, as JSON is: what is wrong in it fails the test that reads it. */
export type Json = ReturnType<typeof JSON.parse>;

/** An agent that is connected: the official SDK's client, which checks every answer by the tool's output schema. */
export interface Agent {
  readonly client: Client;
  /** The structured answer of a tool. Fails where the tool refuses. */
  call(tool: string, input?: Readonly<Record<string, unknown>>): Promise<Json>;
  /** The text of an answer. */
  text(tool: string, input?: Readonly<Record<string, unknown>>): Promise<string>;
  /** What a tool refuses with: code, detail, remedy. Fails where it answers. */
  refusal(tool: string, input?: Readonly<Record<string, unknown>>): Promise<Json>;
  close(): Promise<void>;
}

/** Connects to the gateway at this address as the holder of an API key, as an agent's host does. */
export async function connectAgent(url: string, apiKey: string): Promise<Agent> {
  const client = new Client({ name: "agent-session", version: "1.0.0" });
  const transport = new StreamableHTTPClientTransport(new URL("/mcp", url), {
    requestInit: { headers: { authorization: `Bearer ${apiKey}` } },
  });
  await client.connect(transport);
  // So that the client knows the output schemas it checks answers by.
  await client.listTools();

  async function ask(tool: string, input: Readonly<Record<string, unknown>> = {}) {
    const answer: Json = await client.callTool({ name: tool, arguments: input });
    return { isError: answer.isError === true, structured: answer.structuredContent, text: answer.content[0].text };
  }
  return {
    client,
    async call(tool, input) {
      const { isError, structured, text } = await ask(tool, input);
      if (isError) throw new Error(`${tool} refused: ${text}`);
      return structured;
    },
    async text(tool, input) {
      const { isError, text } = await ask(tool, input);
      if (isError) throw new Error(`${tool} refused: ${text}`);
      return text;
    },
    async refusal(tool, input) {
      const { isError, structured, text } = await ask(tool, input);
      if (!isError || structured !== undefined) throw new Error(`${tool} did not refuse: ${text}`);
      return JSON.parse(text);
    },
    close: () => client.close(),
  };
}
