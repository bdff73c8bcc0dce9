import { assert, assertEquals, assertThrows } from "@std/assert";
import type { TimerStartedEvent, Wait, WorkflowEvent } from "@rockpool/workflow";
import { formatTimeline, type PicturedRun } from "@rockpool/workflow/pictures";
import { everything, evilRuns, longRun, randomRuns, withRequests } from "../tests/support/pictured_runs.ts";

const DAY_MS = 86_400_000;
const started: WorkflowEvent = { type: "workflow_started", at: 0, workflowName: "nap" };

function run(status: PicturedRun["status"], ...history: WorkflowEvent[]): PicturedRun {
  return { workflowId: "a", workflowName: "nap", status, history: [started, ...history] };
}

/** The columns that a line takes in a terminal, by the simple rule: an ideograph, a kana or a pictograph takes two. */
function columnsOf(line: string): number {
  const wide = line.match(/[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{Emoji_Presentation}]/gu) ?? [];
  return [...line.replace(/\p{M}|\u200d/gu, "")].length + wide.length;
}

Deno.test("formatTimeline() shows every type of event", () => {
  assertEquals(
    formatTimeline(everything),
    `
order "RP-1" canceled after 10 s, 25 events
    1  +00:00:00.000  workflow started    input { items: 3 }, within 1 min, begins in 1 s
  2-3  +00:00:01.000  activity completed  reserve in 250 ms: 4 → "set aside"
    4  +00:00:01.250  activity started    charge
    5  +00:00:01.500  attempt 1 failed    charge: RangeError: No luck; next in 1 s
    6  +00:00:02.600  activity heartbeat  charge: { step: 2 }
    7  +00:00:03.000  activity completed  charge in 1.8 s, attempt 2: { id: "p-1", cents: 133500n }
  8-9  +00:00:03.000  timer               2 s
   10  +00:00:05.000  timer started       for 1 d; canceled after 4 s
   11  +00:00:05.500  signal received     approval from office: ["Mara"]
   12  +00:00:05.500  patched             carrier-v2
   13  +00:00:05.500  side effect         42
   14  +00:00:05.500  child started       pack "RP-1:5"
   15  +00:00:05.500  child started       weigh "RP-1:6"
   16  +00:00:06.500  child completed     pack in 1 s: "packed"
   17  +00:00:07.000  update accepted     rename: "oak"
   18  +00:00:07.500  child failed        weigh in 2 s: RangeError: No luck
   19  +00:00:08.000  update completed    rename in 1 s: true
   20  +00:00:08.000  activity started    ship; canceled after 1 s
   21  +00:00:09.000  cancel requested    moving abroad
   22  +00:00:09.000  compensation        release
23-24  +00:00:09.000  activity failed     release in 1 s, attempt 1: RangeError: No luck
   25  +00:00:10.000  workflow canceled   CanceledError: Canceled, caused by RangeError: No luck
where the time went: activities 3 s (30 %), timers 3 s (30 %), children 2 s (20 %), retry delays 1 s
(10 %), start delay 1 s (10 %)`.slice(1),
  );
});

Deno.test("formatTimeline() shows what is not over in a running run", () => {
  const activity: WorkflowEvent = { type: "activity_started", at: 5, seq: 0, name: "work", input: "x" };
  const timer: WorkflowEvent = { type: "timer_started", at: 5, seq: 1, dueAt: 30 * DAY_MS };
  assertEquals(formatTimeline(run("running", activity, timer)).split("\n"), [
    'nap "a" running for 5 ms at the last event, 3 events',
    "1  +00:00:00.000  workflow started",
    '2  +00:00:00.005  activity started    work: "x"; not over yet',
    "3  +00:00:00.005  timer started       for 30 d; not over yet",
    "where the time went: other waits 5 ms (100 %)",
  ]);
});

Deno.test("formatTimeline() shows the updates that another executor asked for", () => {
  assertEquals(formatTimeline(withRequests).split("\n").slice(2, -1), [
    '2  +00:00:00.010  update requested    rename: "oak"',
    '3  +00:00:00.010  update requested    rename: ""',
    '4  +00:00:00.020  update accepted     rename: "oak"',
    "5  +00:00:00.020  update rejected     rename in 10 ms: RangeError: No name",
    "6  +00:00:00.050  update completed    rename in 40 ms: true",
    '7  +00:00:00.060  update requested    rename: "elm"; not over yet',
  ]);
});

Deno.test("formatTimeline() does not show where the time went if no time passed", () => {
  const history: WorkflowEvent[] = [
    { type: "activity_started", at: 0, seq: 0, name: "work" },
    { type: "activity_failed", at: 0, seq: 0, attempt: 0, error: { name: "TimeoutError", message: "Too late" } },
  ];
  assertEquals(formatTimeline(run("running", ...history)).split("\n"), [
    'nap "a" running for 0 ms at the last event, 3 events',
    "  1  +00:00:00.000  workflow started",
    "2-3  +00:00:00.000  activity failed     work, attempt 0: TimeoutError: Too late",
  ]);
});

Deno.test("formatTimeline() shows what a run continues and its parent", () => {
  const parent = { workflowId: "b", runId: "r", seq: 1, closePolicy: "cancel" } as const;
  const first: WorkflowEvent = { ...started, firstRunId: "r-0", parent };
  const signal: WorkflowEvent = { type: "signal_received", at: -500, name: "go", signalId: "1" }; // of the run before
  assertEquals(formatTimeline({ ...run("running"), history: [first, signal] }).split("\n"), [
    'nap "a" running for 500 ms at the last event, 2 events',
    '1  +00:00:00.000  workflow started    continues an earlier run, child of "b"',
    "2  -00:00:00.500  signal received     go",
    "where the time went: other waits 500 ms (100 %)",
  ]);
});

Deno.test("formatTimeline() shows what a run is a fork of", () => {
  const first: WorkflowEvent = { ...started, seed: "r", forkedFrom: { workflowId: "b", runId: "r", events: 7 } };
  const [, line] = formatTimeline({ ...run("running"), history: [first] }).split("\n");
  assertEquals(line, '1  +00:00:00.000  workflow started    fork of "b" after event 7');
});

Deno.test("formatTimeline() shows a run without events, and events that it does not know", () => {
  assertEquals(formatTimeline({ ...run("failed"), history: [] }), 'nap "a" failed, 0 events');
  const history = [
    { type: "moon_landed", at: 0, seq: 3, crew: 2 },
    { type: "activity_completed", at: 0, seq: 9, attempt: 1, result: 1 },
    { type: "timer_fired", at: 0, seq: 10 },
  ] as unknown as WorkflowEvent[];
  assertEquals(formatTimeline({ ...run("running"), history }).split("\n").slice(1), [
    "1  +00:00:00.000  moon landed         { seq: 3, crew: 2 }",
    "2  +00:00:00.000  activity completed  ?: 1",
    "3  +00:00:00.000  timer fired",
  ]);
});

Deno.test("formatTimeline() puts marks between the events, and after the last one", () => {
  const timer: WorkflowEvent[] = [
    { type: "timer_started", at: 0, seq: 0, dueAt: 5 },
    { type: "timer_fired", at: 5, seq: 0 },
  ];
  const marks = [{ after: 2, at: 3, text: "the process dies" }, { after: 3, text: "the end" }];
  assertEquals(formatTimeline(run("running", ...timer), { marks }).split("\n"), [
    'nap "a" running for 5 ms at the last event, 3 events',
    "1  +00:00:00.000  workflow started",
    "2  +00:00:00.000  timer started       for 5 ms",
    "   +00:00:00.003  ══ the process dies ════════════════════════════════════════",
    "3  +00:00:00.005  timer fired         after 5 ms",
    "                  ══ the end ═════════════════════════════════════════════════",
    "where the time went: timers 5 ms (100 %)",
  ]);
});

Deno.test("formatTimeline() breaks a long error into indented lines", () => {
  const message = "word ".repeat(80);
  const failed: WorkflowEvent = { type: "workflow_failed", at: 0, error: { name: "Error", message } };
  const lines = formatTimeline(run("failed", failed)).split("\n").slice(2);
  assertEquals(lines.length, 3);
  assert(lines[0].startsWith("2  +00:00:00.000  workflow failed     Error: word word"));
  assert(lines[1].startsWith(`${" ".repeat(38)}word`));
  assert(lines[2].endsWith("…"));
});

Deno.test("formatTimeline() shows the first and the last of similar lines when there are too many", () => {
  assertEquals(formatTimeline(longRun(500), { maxLines: 20 }).split("\n"), [
    'watch "gauge" completed in 4 h 10 min, 2,037 events',
    "        1  +00:00:00.000  workflow started",
    "      2-3  +00:00:00.000  activity completed  poll 0 in 1 s: 0",
    "      4-5  +00:00:01.000  timer               29 s",
    "                          … 13 more: 7 × activity completed, 6 × timer",
    "       32  +00:03:31.000  timer started       for 29 s",
    "       33  +00:03:39.000  signal received     level: 7",
    "       34  +00:04:00.000  timer fired         after 29 s",
    "                          … 1,023 more: 480 × activity completed, 456 × timer, 23 × timer started, …",
    "     1985  +04:03:31.000  timer started       for 29 s",
    "     1986  +04:03:39.000  signal received     level: 487",
    "     1987  +04:04:00.000  timer fired         after 29 s",
    "                          … 22 more: 11 × activity completed, 11 × timer",
    "     2032  +04:09:30.000  activity started    poll 0",
    "     2033  +04:09:30.010  attempt 1 failed    poll 0: RangeError: No luck; next in 490 ms",
    "     2034  +04:09:31.000  activity completed  poll 0 in 1 s, attempt 2: 499",
    "2035-2036  +04:09:31.000  timer               29 s",
    '     2037  +04:10:00.000  workflow completed  "watched"',
    "where the time went: timers 4 h 1 min (96 %), activities 8 min 15 s (3 %), retry delays 4.9 s",
  ]);
});

Deno.test("formatTimeline() keeps to 100 columns and to maxLines, whatever the run is", async () => {
  const runs = [everything, ...evilRuns(), ...await randomRuns(200), longRun(5000), longRun(5000, 5000)];
  for (const one of runs) {
    for (const maxLines of [10, 60, 1000]) {
      const marks = [{ after: 1, text: one.workflowName.repeat(20), at: 1e15 }];
      const lines = formatTimeline(one, { maxLines, marks }).split("\n");
      assertEquals(lines.filter((line) => columnsOf(line) > 100 || /[\p{Cc}\p{Cs}\u2028\u202e]/u.test(line)), []);
      assert(lines.length <= maxLines, `${lines.length} lines`);
      assert(lines.length >= Math.min(5, one.history.length / 2), `only ${lines.length} lines`);
    }
  }
});

Deno.test("formatTimeline() throws when maxLines is not an integer from 10", () => {
  for (const maxLines of [9, 10.5, NaN, Infinity]) {
    assertThrows(
      () => formatTimeline(everything, { maxLines }),
      RangeError,
      `Cannot format the timeline of workflow "RP-1": "maxLines" must be an integer from 10, got ${maxLines}`,
    );
  }
});

Deno.test("formatTimeline() shows a running run up to now, with what it waits for", () => {
  const history: WorkflowEvent[] = [
    { type: "activity_started", at: 0, seq: 0, name: "work" },
    { type: "timer_started", at: 0, seq: 1, dueAt: 7 * DAY_MS, waitsFor: { signal: "approval" } },
    { type: "timer_started", at: 0, seq: 2, dueAt: DAY_MS, waitsFor: "scope" },
    { type: "signal_received", at: 5, name: "other", signalId: "1" },
  ];
  const waitsFor: Wait[] = [
    { type: "activity", name: "work", attempt: 1, status: "running" },
    { type: "timer", dueAt: 7 * DAY_MS },
    { type: "signal", name: "approval" },
    { type: "signal", name: "go" },
  ];
  assertEquals(formatTimeline(run("running", ...history), { now: 3 * DAY_MS, waitsFor }).split("\n"), [
    'nap "a" running for 3 d, 5 events',
    "1  +00:00:00.000  workflow started",
    "2  +00:00:00.000  activity started    work; not over yet, 3 d so far",
    "3  +00:00:00.000  timer started       signal approval within 7 d; not over yet, due in 4 d",
    "4  +00:00:00.000  timer started       scope within 1 d; not expired",
    "5  +00:00:00.005  signal received     other",
    "waits for activity work; signal approval, deadline in 4 d; signal go",
    "where the time went: activities 3 d (100 %)",
  ]);
});

Deno.test("formatTimeline() says what each timer is for, and how the wait ended", () => {
  const timer = (at: number, seq: number, waitsFor: TimerStartedEvent["waitsFor"]) =>
    ({ type: "timer_started", at, seq, dueAt: at + 100, waitsFor }) as WorkflowEvent;
  const history: WorkflowEvent[] = [
    ...[timer(0, 0, { signal: "a" }), { type: "signal_received", at: 30, name: "a", signalId: "1" } as const],
    ...[timer(30, 1, "condition"), { type: "timer_fired", at: 130, seq: 1 } as const],
    ...[timer(130, 2, "scope"), timer(130, 3, { signal: "b" }), { type: "timer_fired", at: 230, seq: 3 } as const],
    ...[{ type: "cancel_requested", at: 231 } as const],
  ];
  assertEquals(formatTimeline(run("canceled", ...history)).split("\n").slice(2, 8), [
    "  2  +00:00:00.000  timer started       signal a within 100 ms; came after 30 ms",
    "  3  +00:00:00.030  signal received     a",
    "4-5  +00:00:00.030  timer               condition within 100 ms, expired",
    "  6  +00:00:00.130  timer started       scope within 100 ms; canceled after 101 ms",
    "7-8  +00:00:00.130  timer               signal b within 100 ms, expired",
    "  9  +00:00:00.231  cancel requested    no reason given",
  ]);
});
