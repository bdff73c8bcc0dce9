/**
 * The files of `docs/coming-from-temporal.md`: the settings that map Temporal's packages to this one, and a project that uses them. The
 * tools run what the page shows.
 *
 * @module
 */

import { ROOT } from "../package/packed.ts";

/** Returns the files of the page by their names: each block of code that begins with `// name`. */
export async function pageFiles(): Promise<ReadonlyMap<string, string>> {
  const page = await Deno.readTextFile(`${ROOT}docs/coming-from-temporal.md`);
  const blocks = page.matchAll(/^```(?:ts|js|json)(?: ignore)?\n\/\/ (\S+)\n(.*?)^```$/gms);
  return new Map([...blocks].map(([, name, code]) => [name, code]));
}
