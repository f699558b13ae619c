const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu;

/**
 * A peer's words made fit to show: without control, bidirectional and other invisible characters, which can disguise a
 * text or steer a terminal, and at most `maxCharacters` UTF-16 units long.
 */
export function plainRemoteText(text: string, maxCharacters: number): string {
  // Cut before the costly part too: the peer chose the length.
  const plain = text
    .slice(0, maxCharacters * 4)
    .replace(INVISIBLE, " ")
    .replace(/\s+/g, " ")
    .trim();
  return plain.length <= maxCharacters ? plain : `${plain.slice(0, maxCharacters - 1).replace(/\p{Cs}$/u, "")}…`;
}
