/** What a run is doing, to standard error: standard output is the report's. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);
