/** A row as `POST /api/v1/import/…` takes it, with its age in place of an instant. */
export interface SampleRow {
  readonly hoursAgo: number;
  /** A user's name; absent: whoever imports. */
  readonly owner?: string;
  /** A team's name; absent: personal. */
  readonly team?: string;
  readonly input: Readonly<Record<string, string>>;
  /** For a task: in how many days it is due. */
  readonly dueInDays?: number;
}

/** Those who work at the company and have a gateway at home. */
export type Employee = "Ada" | "Grace" | "Linus";

/** What one gateway starts with. */
export interface SampleData {
  readonly people: readonly { readonly name: string; readonly email: string; readonly teams: readonly string[] }[];
  readonly tasks: readonly SampleRow[];
  readonly notes: readonly SampleRow[];
  readonly memory: readonly SampleRow[];
}

type Whose = Pick<SampleRow, "owner" | "team">;

const task =
  (whose: Whose) =>
  (hoursAgo: number, title: string, status = "open", dueInDays?: number): SampleRow => ({
    ...whose,
    hoursAgo,
    input: { title, status },
    ...(dueInDays === undefined ? {} : { dueInDays }),
  });
const note =
  (whose: Whose) =>
  (hoursAgo: number, title: string, body: string): SampleRow => ({ ...whose, hoursAgo, input: { title, body } });
const fact =
  (whose: Whose) =>
  (hoursAgo: number, content: string): SampleRow => ({ ...whose, hoursAgo, input: { content } });

const ada = { owner: "Ada" };
const grace = { owner: "Grace" };
const linus = { owner: "Linus" };
const platform = { team: "Platform" };
const research = { team: "Research" };

/** Each one's own gateway: their private life. */
export const homeData: Readonly<Record<Employee, SampleData>> = {
  Ada: {
    people: [],
    tasks: [
      task({})(3, "Fix the kitchen tap", "open", 2),
      task({})(20, "Book the ferry for July", "open", 9),
      task({})(31, "Plan Mum's birthday", "in_progress", 12),
      task({})(55, "Renew the passport", "open", 30),
      task({})(80, "Return the library books", "done"),
      task({})(100, "Find a piano teacher"),
    ],
    notes: [
      note({})(12, "Packing list for July", "Rain jackets, the small tent, *two* books each."),
      note({})(40, "Sourdough, fourth try", "75 % water, 20 h in the fridge. Better crust than last time."),
      note({})(90, "Piano: what to practise", "Left hand first. Twenty minutes a day, no more."),
    ],
    memory: [fact({})(60, "Ada drinks her coffee without milk."), fact({})(70, "The spare key is with the neighbour.")],
  },
  Grace: {
    people: [],
    tasks: [task({})(4, "Repot the lemon tree"), task({})(33, "Patch the tent", "in_progress", 5)],
    notes: [],
    memory: [],
  },
  Linus: {
    people: [],
    tasks: [task({})(7, "Oil the bicycle chain"), task({})(45, "Learn the second cello suite", "in_progress")],
    notes: [],
    memory: [],
  },
};

/** The gateway of the company they work for. */
export const workData: SampleData = {
  people: [
    { name: "Ada", email: "ada@work.example", teams: ["Platform"] },
    { name: "Grace", email: "grace@work.example", teams: ["Platform", "Research"] },
    { name: "Linus", email: "linus@work.example", teams: ["Research"] },
  ],
  tasks: [
    task({ ...ada, ...platform })(1, "Rotate the staging certificates", "open", 1),
    task({ ...grace, ...platform })(8, "Upgrade the database of the billing service", "in_progress", 4),
    task({ ...ada, ...platform })(26, "Write the runbook for failover", "open", 7),
    task({ ...grace, ...platform })(50, "Alert on disks that fill up", "done"),
    task({ ...ada, ...platform })(75, "Retire the old build server", "open", 21),
    task(ada)(28, "Slides for the Thursday talk", "in_progress", 3),
    task({ ...linus, ...research })(2, "Compare three parsers on the log corpus", "in_progress"),
    task({ ...grace, ...research })(22, "Summarise the latency study", "open", 6),
    task({ ...linus, ...research })(47, "Ask for access to the trace archive"),
    task({ ...grace, ...research })(72, "Choose a benchmark for the paper", "done"),
    task(grace)(5, "Prepare the interviews", "open", 2),
    task(linus)(34, "Book the train to the workshop"),
  ],
  notes: [
    note({ ...ada, ...platform })(
      6,
      "Failover, dry run of Monday",
      "Took 41 s. DNS was the slow part, not the database.",
    ),
    note({ ...grace, ...platform })(29, "On-call hand-over", "Quiet week. The billing alert is noisy; see the task."),
    note({ ...grace, ...platform })(77, "Why we keep two regions", "Because of the outage in March, and what it cost."),
    note({ ...linus, ...research })(10, "Parser notes", "The second one is fastest until lines exceed 4 kB."),
    note({ ...grace, ...research })(52, "Reading list", "Tail at scale; Dapper; the usual suspects."),
    note(ada)(25, "Talk outline", "1. What broke. 2. How we noticed. 3. What we changed."),
  ],
  memory: [
    fact({ ...grace, ...platform })(65, "Nothing is deployed on Fridays after 14:00."),
    fact({ ...linus, ...research })(66, "The trace archive keeps 90 days."),
    fact(ada)(67, "Ada prefers reviews before lunch."),
  ],
};

/** Titles of the tasks somebody has at work: their own, and those of their teams. What their home gateway must get, and no other. */
export function tasksAtWork(employee: Employee): string[] {
  const teams = workData.people.find(({ name }) => name === employee)?.teams ?? [];
  return workData.tasks
    .filter(({ owner, team }) => (team === undefined ? owner === employee : teams.includes(team)))
    .map(({ input }) => input["title"] ?? "");
}
