import { assertEquals } from "@std/assert";
import { story } from "./entity.ts";

Deno.test("examples/entity.ts keeps the account when the process dies", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines.slice(0, 8), [
    "move 500: balance 500",
    "move -120: balance 380",
    "move 75: balance 455",
    "move -1000: Cannot move -1000: the balance is 455",
    "move 30: balance 485",
    "--- the process dies; another one recovers",
    "balance 485",
    "move -85: balance 400",
  ]);
  assertEquals(lines.at(-1)!.split(", ").length, 6);
});
