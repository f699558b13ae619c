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

const readersAre = (isOpen: boolean) => ({ list: isOpen, search: isOpen, get: isOpen, capabilities: isOpen });

/** Of each tool that reads. */
async function openWorldHints({ url, key }: AgentGateway): Promise<Readonly<Record<string, boolean | undefined>>> {
  const agent = await connectAgent(url, key);
  try {
    const { tools } = await agent.client.listTools();
    const readers = tools.filter(({ name }) => !name.includes("_"));
    return Object.fromEntries(readers.map(({ name, annotations }) => [name, annotations?.openWorldHint]));
  } finally {
    await agent.close();
  }
}

test("an agent's session on tier local", async () => {
  await withGateway(localConfig, async (gateway) => {
    await agentSession(gateway.url, gateway.key);
    expect(await openWorldHints(gateway)).toEqual(readersAre(false));
  });
}, 60_000);

test("an agent's session on tier federated, in one process", async () => {
  await withGateway(federatedConfig, async (gateway) => {
    await agentSession(gateway.url, gateway.key);
    expect(await openWorldHints(gateway)).toEqual(readersAre(true));
  });
}, 60_000);
