/**
 * Reads a key once for all who ask for it at the same moment. A reading is shared only by those who had asked before it began: who
 * comes while one is under way waits for the next. So nobody is answered with what was true before they asked, and of ten requests
 * of one peer at once not each costs a round trip.
 *
 * @param read a failure of it is everybody's who shares it
 */
export function shareReadings<Key, Result>(
  keyOf: (key: Key) => string,
  read: (key: Key) => Promise<Result>,
): (key: Key) => Promise<Result> {
  const underWay = new Map<string, { readonly current: Promise<Result>; next: Promise<Result> | undefined }>();

  function begin(name: string, key: Key): Promise<Result> {
    const reading = { current: read(key), next: undefined };
    underWay.set(name, reading);
    const end = (): void => {
      if (reading.next === undefined) underWay.delete(name);
    };
    reading.current.then(end, end);
    return reading.current;
  }

  return (key) => {
    const name = keyOf(key);
    const reading = underWay.get(name);
    if (reading === undefined) return begin(name, key);
    const beginNext = (): Promise<Result> => begin(name, key);
    reading.next ??= reading.current.then(beginNext, beginNext);
    return reading.next;
  };
}
