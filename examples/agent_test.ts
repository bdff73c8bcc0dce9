import { assert, assertEquals } from "@std/assert";
import {
  attempts,
  type CrashRun,
  crashTest,
  type CrashTestOptions,
  explore,
  fails,
  replace,
  type TimedSignal,
  whatIf,
} from "@rockpool/workflow/testing";
import { type Answer, createAgent, decide, type Message, stop, story, type Task, transcriptOf } from "./agent.ts";
import { crashAndCancelEverywhere } from "../tests/support/cancel_everywhere.ts";
import { bounds } from "../tests/support/exploring.ts";

Deno.test("examples/agent.ts keeps its open calls when the process dies", async () => {
  const lines: string[] = [];
  await story((line) => lines.push(line));
  assertEquals(lines, [
    "--- the process dies while one call runs and another one waits for approval; another process recovers",
    'open calls: {"c2":"not needed","c3":"needed"}',
    'Cannot decide on call "c2": it does not wait for an approval',
    "user: Delete my drafts",
    "assistant: I search for drafts, and delete the one that I know",
    "c1: found draft.txt",
    'c2: Canceled a scope of workflow "a1": stopped by the user',
    "c3: deleted draft.txt",
    "assistant: The drafts on the disk are deleted",
  ]);
});

/** In each answer, the model searches in two places and deletes a file; its last answer counts what it has read. */
const model = (transcript: readonly Message[]): Answer => {
  const n = transcript.filter(({ role }) => role === "assistant").length;
  if (n === 2) return { role: "assistant", text: transcript.map(({ text }) => text).join(", "), calls: [] };
  const call = (id: string, tool: string) => ({ id: `${id}${n}`, tool, input: id });
  return {
    role: "assistant",
    text: `answer ${n}`,
    calls: [call("a", "search"), call("b", "search"), call("c", "remove")],
  };
};
const removed = new Set<string>();
const search = (place: string) => `searched ${place}`;
const remove = (file: string) => `removed ${[...removed.add(file)].length}`;
const tools = { search: { run: search }, remove: { run: remove, isDangerous: true } };
const task: Task = { transcript: [{ role: "user", text: "go" }], answersLeft: 5, deadlineAt: 60_000 };
const approve = (atMs: number, callId: string, approval: "given" | "refused" = "given") => ({
  atMs,
  name: decide,
  input: { callId, approval },
});
const options: CrashTestOptions = {
  input: task,
  activities: [replace("search", attempts<string, string>(fails("busy"), search))], // the second attempt after a second
  updates: [approve(2000, "c0"), approve(4000, "c1", "refused")],
  setUp: () => removed.clear(),
  effects: () => [...removed],
};
const agent = createAgent({ model, tools });

Deno.test("examples/agent.ts runs the calls of an answer in parallel, in a crash and a cancellation at every point", async () => {
  const { undisturbed, canceled } = await crashAndCancelEverywhere(agent, options);
  assertEquals(
    undisturbed.result,
    "go, answer 0, searched a, searched b, removed 1, answer 1, searched a, searched b, The user refused this call",
  );
  for (const { state } of canceled.slice(0, -1)) assertEquals(state.status, "canceled");
});

Deno.test("examples/agent.ts continues as new without losing a message, in a crash at every point", async () => {
  const { undisturbed } = await crashTest(createAgent({ model, tools, maxEvents: 10 }), { ...options, input: task });
  assertEquals(
    undisturbed.result,
    "go, answer 0, searched a, searched b, removed 1, answer 1, searched a, searched b, The user refused this call",
  );
  assertEquals(undisturbed.states.length, 3);
});

Deno.test("examples/agent.ts cancels one call when the stop button is pressed, in a crash at every point", async () => {
  const signals: [TimedSignal, TimedSignal] = [{ atMs: 500, name: stop, payload: "b0" }, {
    atMs: 1500,
    name: stop,
    payload: "c0",
  }];
  const stopped = 'Canceled a scope of workflow "crash-test": stopped by the user';
  const updates = [approve(3000, "c1")];
  const { undisturbed } = await crashTest(agent, { ...options, input: task, signals, updates });
  assertEquals(
    undisturbed.result,
    `go, answer 0, searched a, ${stopped}, ${stopped}, answer 1, searched a, searched b, removed 1`,
  );
});

Deno.test("examples/agent.ts refuses a decision that no call waits for", async () => {
  const updates = [approve(500, "a0"), approve(1000, "c0"), approve(3000, "c1")];
  const { undisturbed } = await crashTest(agent, { ...options, input: task, updates });
  const accepted = undisturbed.state.history.filter(({ type }) => type === "update_accepted");
  assertEquals(accepted.length, 2);
});

Deno.test("examples/agent.ts ends at its deadline, in a crash at every point", async () => {
  const { undisturbed } = await crashTest(agent, {
    ...options,
    input: { ...task, deadlineAt: 3000 },
    queries: [{
      atMs: 5000,
      name: transcriptOf,
      check: ({ transcript }: { transcript: readonly Message[] }) => assertEquals(transcript.length, 6),
    }],
  });
  assertEquals((undisturbed.error as Error).name, "TimeoutError");
});

Deno.test("examples/agent.ts ends when the model may not answer again", async () => {
  const { undisturbed } = await crashTest(agent, { ...options, input: { ...task, answersLeft: 1 } });
  assertEquals(undisturbed.result, "I may not ask the model again");
});

/** A dangerous tool runs only if its call was approved, and not more than once. */
let removals = new Map<string, number>();
const onlyApproved = {
  input: { ...task, answersLeft: 1 },
  updates: [approve(2000, "c0")],
  activities: [replace("remove", (_: string, { idempotencyKey }) => `${removals.set(idempotencyKey, 1).size}`)],
  setUp: () => void (removals = new Map()),
  check({ state: { history } }: CrashRun) {
    const approvals = history.filter(({ type }) => type === "update_accepted").length;
    assert(removals.size <= approvals, "removed without an approval");
  },
};

Deno.test("examples/agent.ts runs a dangerous tool with an approval only in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(agent, { ...onlyApproved, ...bounds });
  assertEquals(missing, []);
});

Deno.test("examples/agent.ts runs a dangerous tool with an approval only if one thing goes wrong", async () => {
  const { bad, missing } = await whatIf(agent, onlyApproved);
  assertEquals([bad, missing], [[], []]);
});
