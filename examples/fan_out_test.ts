import { assertEquals } from "@std/assert";
import { attempts, fails, replace } from "@rockpool/workflow/testing";
import { crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
import { story, wordCount } from "./fan_out.ts";

Deno.test("examples/fan_out.ts counts three pages at a time, also after a crash", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies: 5 pages begun, 4 of them counted; another one recovers",
    "the most frequent words: the 7, lake 4, grey 3, is 3",
    "read twice: dusk",
    "at most 3 at once",
  ]);
});

Deno.test("examples/fan_out.ts ends the same in a crash and a cancellation at every point", async () => {
  const count = (page: string) => new Map([[page, 1], ["the", 2]]);
  const { undisturbed, canceled } = await crashAndCancelEverywhere(wordCount, {
    input: ["dawn", "rain", "noon", "wind"],
    activities: [replace("countWords", attempts<string, Map<string, number>>(fails("busy"), count))],
  });
  assertEquals(undisturbed.result, [["the", 8], ["dawn", 1], ["noon", 1], ["rain", 1], ["wind", 1]]);
  for (const { state } of canceled.slice(0, -1)) assertEquals(state.status, "canceled");
});
