import { assertEquals } from "@std/assert";
import { isUpToDate } from "./document.ts";
import { RUNTIMES } from "./main.ts";

Deno.test("docs/runtimes.md and docs/values.md have a column for each runtime, and a row for each case and value of the matrix", async () => {
  assertEquals(await isUpToDate(RUNTIMES.map(({ name }) => name), []), true);
  assertEquals(await isUpToDate(["Deno 3"], []), false);
});
