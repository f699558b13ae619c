import { type Account, addTitled } from "./seed.ts";

/** Made up, of one length, and like no word of the titles there are: what is done for one is done for each. */
const NOBODYS = ["quixzov", "zyvexul"] as const;
const RARE = "wuzqorb";
const COMMON = "jexvyqa";

/** Rows of others that have the rare word, and one in how many has the common one. */
const RARE_ROWS = 5;
const COMMON_EVERY = 5;
/** All that the peer with few rows sees. */
const FEW_ROWS = 40;

/** Gives a team few rows, and adds to those of nobody but the account itself some that have the words. */
export async function addWords(ada: Account, team: string, tasks: number): Promise<void> {
  await addTitled(
    ada,
    Array.from({ length: FEW_ROWS }, (_, index) => `Minutes ${index} of the meeting`),
    team,
  );
  const common = Math.ceil(tasks / (COMMON_EVERY - 1));
  const titles = Array.from({ length: common }, (_, index) => `Figures ${index} about ${COMMON}`);
  await addTitled(ada, [...titles, ...Array.from({ length: RARE_ROWS }, (_, index) => `Figures ${index} of ${RARE}`)]);
}

/** What is asked for, the first of it twice: nobody has either word. No row that the peer sees has any of them. */
export const WORDS: readonly { readonly name: string; readonly query: string }[] = [
  { name: "a word nobody has", query: NOBODYS[0] },
  { name: "a word nobody has, again", query: NOBODYS[1] },
  { name: `a word of ${RARE_ROWS} rows of others`, query: RARE },
  { name: "a word of a fifth of all rows", query: COMMON },
];
