/**
 * Tests that the lists of the codes of a `WorkflowError` are equal: the type, the table of its doc comment, and `docs/errors.md`.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

const read = (path: string): string => Deno.readTextFileSync(new URL(`../${path}`, import.meta.url));

const source = read("errors.ts");
const codes = [...source.matchAll(/^ {2}\| "(\w+)"/gm)].map(([, code]) => code);

Deno.test("docs/errors.md says of every code of a WorkflowError what causes it and what to do", () => {
  const table = read("docs/errors.md").split("<!-- codes")[1].split("<!-- end -->")[0];
  const rows = [...table.matchAll(/^\| `(\w+)` +\| (.+?) +\| (.+?) +\|$/gm)];
  assertEquals(rows.map(([, code]) => code), codes);
});

Deno.test("WorkflowErrorCode has every code in the table of its doc comment", () => {
  assertEquals([...source.matchAll(/^ \* \| `(\w+)` \| .+ \|$/gm)].map(([, code]) => code), codes);
});
