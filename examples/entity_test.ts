import { assertEquals } from "@std/assert";
import type { ActivityContext } from "@rockpool/workflow";
import { attempts, type CrashRun, crashTest, explore, fails, replace, whatIf } from "@rockpool/workflow/testing";
import { bounds } from "../tests/support/exploring.ts";
import { account, balanceOf, move, story } from "./entity.ts";

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

Deno.test("examples/entity.ts moves money once, and audits it once, in a crash at every point", async () => {
  const audited = new Map<string, string>();
  const audit = (line: string, { idempotencyKey }: ActivityContext) => void audited.set(idempotencyKey, line);
  const { undisturbed } = await crashTest(account, {
    input: { balance: 0, runs: 0 },
    updates: [500, -120, 75, 30].map((input, i) => ({ atMs: 1000 * (i + 1), name: move, input })),
    queries: [{ atMs: 9000, name: balanceOf, check: (balance) => assertEquals<number>(balance, 485) }],
    cancel: { atMs: 10_000 },
    activities: [replace("audit", attempts<string, void>(fails("busy"), audit))],
    setUp: () => audited.clear(),
    effects: () => [...audited.values()],
  });
  assertEquals(undisturbed.state.status, "canceled");
  assertEquals([...audited.values()], ["+500 makes 500", "-120 makes 380", "+75 makes 455", "+30 makes 485"]);
});

const audited = new Map<string, string>();
/** Each move has a line, also one that was in progress when the account was closed. What came too late has moved nothing. */
const auditedOnce = {
  input: { balance: 0, runs: 0 },
  updates: [500, -120].map((input, i) => ({ atMs: 1000 * (i + 1), name: move, input })),
  cancel: { atMs: 10_000 },
  activities: [replace("audit", (line: string, { idempotencyKey }) => void audited.set(idempotencyKey, line))],
  setUp: () => audited.clear(),
  check({ states }: CrashRun) {
    const events = states.flatMap(({ history }) => history);
    const late = events.flatMap((event) =>
      event.type === "update_completed" && event.error?.data?.code === "not_found" ? [event.updateId] : []
    );
    const moves = events.filter((event) => event.type === "update_accepted" && !late.includes(event.updateId));
    assertEquals(audited.size, moves.length);
  },
};

Deno.test("examples/entity.ts audits each move once in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(account, { ...auditedOnce, ...bounds });
  assertEquals(missing, []);
});

Deno.test("examples/entity.ts audits each move once if one thing goes wrong", async () => {
  const { bad, cells } = await whatIf(account, { ...auditedOnce, failures: ["fails", "loses its answer"] });
  assertEquals(bad, []);
  const retried = cells.filter(({ end }) => end === "retrying").map(({ what }) => what);
  assertEquals(retried, ["always fails", "loses every answer"]); // a move is audited until it is
});
