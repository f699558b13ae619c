import { distance } from "fastest-levenshtein";

/** Letters and digits only, so that `public_url`, `public-url` and `publicUrl` are one name. */
function bare(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}

/** The candidate somebody most likely meant by `name`; undefined when none is within a third of its letters, or two. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = bare(name);
  let best: string | undefined;
  // Two letters that changed places are two edits, also in a short name.
  let least = Math.max(wanted.length < 4 ? 1 : 2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const apart = distance(wanted, bare(candidate));
    if (apart < least) {
      least = apart;
      best = candidate;
    }
  }
  return best;
}
