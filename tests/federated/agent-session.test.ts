import { Secret } from "@mosaicstack/config";
import { expect, test } from "vitest";
import { standaloneConfig, startAgentGateway } from "../mcp/agent-gateway.ts";
import { agentSession } from "../mcp/agent-session.ts";
import { freshDatabase } from "./fresh-database.ts";

test("an agent's session on tier standalone, over PostgreSQL", async () => {
  const database = await freshDatabase();
  try {
    const gateway = await startAgentGateway(() => standaloneConfig(database.address), {
      authSecret: new Secret("a secret of a test, longer than thirty-two characters"),
      databasePassword: new Secret(database.address.password),
    });
    try {
      await agentSession(gateway.url, gateway.key);
    } finally {
      await gateway.stop();
    }
    const [written] = await database.run<{ tasks: number }>("select count(*)::int as tasks from tasks");
    expect(written?.tasks).toBeGreaterThan(5);
  } finally {
    await database.drop();
  }
});
