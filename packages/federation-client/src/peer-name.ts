const MAX_LENGTH = 63;
/** Room for `-` and a number. */
const MAX_STEM_LENGTH = 57;

/** A name for a peer that got none: its host as a peer's name may be written, e.g. `work-example-org`. */
export function peerNameOf(enrollUrl: string): string {
  const slug = new URL(enrollUrl).hostname
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MAX_LENGTH)
    .replace(/^-+|-+$/g, "");
  return slug === "" ? "peer" : slug;
}

/** The first of `name`, `name-2`, `name-3`, … that is not taken. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  const stem = name.slice(0, MAX_STEM_LENGTH).replace(/-+$/, "");
  let number = 2;
  while (taken.has(`${stem}-${number}`)) number += 1;
  return `${stem}-${number}`;
}
