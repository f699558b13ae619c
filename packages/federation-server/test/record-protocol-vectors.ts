// Records the answers of tests/vectors/protocol anew: npx tsx packages/federation-server/test/record-protocol-vectors.ts
// What changes there is a change of the wire: read the difference before you keep it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ProtocolVector, startVectorGateway } from "./vector-peers.ts";

const directory = join(import.meta.dirname, "../../../tests/vectors/protocol");
const serving = await startVectorGateway();
for (const name of readdirSync(directory).filter((file) => file.endsWith(".json"))) {
  const { description, grant, request } = JSON.parse(readFileSync(join(directory, name), "utf8")) as ProtocolVector;
  const response = await serving.ask({ grant, request });
  writeFileSync(join(directory, name), `${JSON.stringify({ description, grant, request, response }, null, 2)}\n`);
}
await serving.stop();
