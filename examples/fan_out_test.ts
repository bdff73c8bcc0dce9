import { assert, assertEquals } from "@std/assert";
import { attempts, type CrashRun, explore, fails, replace, whatIf } from "@rockpool/workflow/testing";
import { crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
import { bounds } from "../tests/support/exploring.ts";
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

const threeAtATime = {
  input: ["dawn", "rain", "noon", "wind"],
  activities: [replace("countWords", (page: string) => new Map([[page, 1], ["the", 2]]))],
  check({ result, state: { history } }: CrashRun) {
    const sum = [["the", 8], ["dawn", 1], ["noon", 1], ["rain", 1], ["wind", 1]];
    if (result !== undefined) assertEquals(result, sum as never);
    let open = 0;
    for (const { type } of history) {
      if (type === "activity_started") open++;
      if (type === "activity_completed") open--;
      assert(open <= 3, "more than three at once");
    }
  },
};

Deno.test("examples/fan_out.ts counts three pages at a time in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(wordCount, { ...threeAtATime, ...bounds });
  assertEquals(missing, []);
});

Deno.test("examples/fan_out.ts counts three pages at a time if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(wordCount, threeAtATime);
  assertEquals([bad, missing], [[], []]);
});
