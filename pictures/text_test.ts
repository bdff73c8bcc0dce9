import { assertEquals } from "@std/assert";
import { formatDuration, formatSince } from "./text.ts";

const DAY_MS = 86_400_000;

Deno.test("formatSince() shows a signed time, with days if there are any", () => {
  assertEquals(
    [0, 1250, 3_599_999, DAY_MS - 1, 30 * DAY_MS + 1250, -1].map(formatSince),
    [
      "+00:00:00.000",
      "+00:00:01.250",
      "+00:59:59.999",
      "+23:59:59.999",
      "+30d 00:00:01.250",
      "-00:00:00.001",
    ],
  );
});

Deno.test("formatDuration() shows the two largest units", () => {
  assertEquals(
    [0, 250, 1500, 59_900, 60_000, 61_000, 1_200_000, 3_661_000, 30 * DAY_MS + 7_200_000, DAY_MS]
      .map(formatDuration),
    ["0 ms", "250 ms", "1.5 s", "59.9 s", "1 min", "1 min 1 s", "20 min", "1 h 1 min", "30 d 2 h", "1 d"],
  );
  assertEquals(formatDuration(DAY_MS + 60_000), "1 d"); // the third unit does not replace the second
});
