import { leakSuite } from "../federation/leaks/suite.ts";
import { startOnSharedServices } from "../federated/real-gateway.ts";
import { openProposals } from "./proposals-stage.ts";
import { readProposals } from "./proposals.ts";

const folder = process.env["KEP_DATA"] ?? "";
if (folder === "") {
  throw new Error("KEP_DATA is not set: it names the folder with people.jsonl, tasks.jsonl and notes.jsonl");
}

leakSuite(
  async (aroundStore) => {
    const { gateway, stop } = await startOnSharedServices("leaks", 10, { aroundStore });
    return { work: gateway, stop };
  },
  {
    whose: "a real project's people's",
    // Everybody's rows, page by page.
    unwalledWorlds: 4,
    open: async (work) => await openProposals(work, readProposals(folder)),
  },
);
