// Not the whole harness, which has peers of its own: what is loaded is to be the gateway's.
import { startGateway } from "../src/gateway.ts";

/** A program: boots a gateway of the tier named by its argument, uses it, and stops it. Prints the titles it listed. */
const tier = process.argv[2] as "federated" | "standalone" | "local";
const gateway = await startGateway({ tier, name: "traced" });
const { api } = gateway.admin;
await api.json("POST", "/api/v1/tasks", { title: "a task" });
await api.json("POST", "/api/v1/notes", { title: "a note" });
const { rows } = await api.json("GET", "/api/v1/tasks?source=all");
await api.json("GET", "/api/v1/notes");
await api.json("GET", "/api/v1/capabilities?source=all");
await api.call("GET", "/api/v1/tasks?source=federated:work");
await api.call("GET", "/api/v1/federation/peers");
await gateway.stop();
process.stdout.write(JSON.stringify(rows.map(({ title }: { title: string }) => title)));
