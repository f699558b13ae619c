import { expect, test } from "vitest";
import { type AgentGateway, federatedConfig, localConfig, startAgentGateway } from "./agent-gateway.ts";
import { agentSession } from "./agent-session.ts";
import { connectAgent } from "./agent-client.ts";

async function withGateway(
  configure: Parameters<typeof startAgentGateway>[0],
  run: (at: AgentGateway) => Promise<void>,
) {
  const gateway = await startAgentGateway(configure);
  try {
    await run(gateway);
  } finally {
    await gateway.stop();
  }
}

async function openWorldHints({ url, key }: AgentGateway): Promise<readonly (boolean | undefined)[]> {
  const agent = await connectAgent(url, key);
  try {
    const { tools } = await agent.client.listTools();
    return tools.filter(({ name }) => !name.includes("_")).map(({ annotations }) => annotations?.openWorldHint);
  } finally {
    await agent.close();
  }
}

test("an agent's session on tier local", async () => {
  await withGateway(localConfig, async (gateway) => {
    await agentSession(gateway.url, gateway.key);
    expect(await openWorldHints(gateway)).toEqual([false, false, false]);
  });
}, 60_000);

test("an agent's session on tier federated, in one process", async () => {
  await withGateway(federatedConfig, async (gateway) => {
    await agentSession(gateway.url, gateway.key);
    expect(await openWorldHints(gateway)).toEqual([true, true, true]);
  });
}, 60_000);
