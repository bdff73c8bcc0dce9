import { assert, assertEquals } from "@std/assert";
import type { WorkflowEvent } from "@rockpool/workflow";
import { formatDuration, formatError, formatSince, formatTimeline, formatValue } from "./timeline.ts";

const DAY_MS = 86_400_000;
const createdAt = 1_000_000;
const at = (ms: number) => createdAt + ms;
const error = { name: "Error", message: "No luck" };

/** One event of every type. */
const history: WorkflowEvent[] = [
  { type: "workflow_started", at: at(0), workflowName: "order", timeoutMs: 60 * DAY_MS },
  { type: "activity_started", at: at(0), seq: 0, name: "charge", input: 1 },
  { type: "activity_attempt_failed", at: at(5), seq: 0, attempt: 1, error, retryAt: at(1505) },
  { type: "activity_completed", at: at(1505), seq: 0, attempt: 2, result: { id: "p-1" } },
  { type: "signal_received", at: at(2000), name: "go", payload: [1], senderId: "Mara", signalId: "" },
  { type: "timer_started", at: at(2000), seq: 1, dueAt: at(2000 + 30 * DAY_MS) },
  { type: "timer_fired", at: at(2000 + 30 * DAY_MS), seq: 1 },
  { type: "activity_started", at: at(2000 + 30 * DAY_MS), seq: 2, name: "ship" },
  { type: "activity_failed", at: at(2000 + 30 * DAY_MS), seq: 2, attempt: 1, error },
  { type: "cancel_requested", at: at(2000 + 30 * DAY_MS), reason: "enough" },
  { type: "workflow_canceled", at: at(2000 + 30 * DAY_MS), error },
];

Deno.test("formatTimeline() shows one event of every type", () => {
  const text = formatTimeline({ createdAt, history });
  assertEquals(
    text,
    `
 1      +00:00:00.000  workflow started    order, within 60 d
 2      +00:00:00.000  activity started    charge
 3      +00:00:00.005  attempt 1 failed    charge: Error: No luck; next in 1.5 s
 4      +00:00:01.505  activity completed  charge, attempt 2: { id: "p-1" }
 5      +00:00:02.000  signal received     go from Mara: [ 1 ]
 6      +00:00:02.000  timer started       for 30 d
 7  +30d 00:00:02.000  timer fired         after 30 d
 8  +30d 00:00:02.000  activity started    ship
 9  +30d 00:00:02.000  activity failed     ship, attempt 1: Error: No luck
10  +30d 00:00:02.000  cancel requested    enough
11  +30d 00:00:02.000  workflow canceled   Error: No luck`.slice(1),
  );
});

Deno.test("formatTimeline() shows a heartbeat with what it told", () => {
  const beat: WorkflowEvent = { type: "activity_heartbeat", at: at(7), seq: 0, attempt: 1, details: { copied: 3 } };
  const lines = formatTimeline({ createdAt, history: [...history.slice(0, 2), beat] }).split("\n");
  assertEquals(lines[2], "3  +00:00:00.007  activity heartbeat  charge: { copied: 3 }");
});

Deno.test("formatTimeline() says how a workflow ends", () => {
  const ends: [WorkflowEvent, string][] = [
    [{ type: "workflow_completed", at: 0, result: "fine" }, "workflow completed  fine"],
    [{ type: "workflow_completed", at: 0 }, "workflow completed  undefined"],
    [{ type: "workflow_failed", at: 0, error }, "workflow failed     Error: No luck"],
    [{ type: "cancel_requested", at: 0 }, "cancel requested    no reason given"],
    [
      { type: "cancel_requested", at: 0, timeoutMs: 1500 },
      "cancel requested    not done within 1.5 s",
    ],
  ];
  for (const [event, expected] of ends) {
    assertEquals(
      formatTimeline({ createdAt: 0, history: [event] }),
      `1  +00:00:00.000  ${expected}`,
    );
  }
});

Deno.test("formatTimeline() puts a mark between the events, and behind the last", () => {
  const marks = [
    { after: 1, at: at(1), text: "stopped" },
    { after: 1, at: at(2), text: "recovered" },
    { after: 2, at: at(DAY_MS), text: "the end" },
  ];
  assertEquals(
    formatTimeline({ createdAt, history: history.slice(0, 2) }, { marks, width: 70, indent: "| " }),
    `
| 1     +00:00:00.000  workflow started    order, within 60 d
|       +00:00:00.001  ══ stopped ════════════════════════════════════
|       +00:00:00.002  ══ recovered ══════════════════════════════════
| 2     +00:00:00.000  activity started    charge
|    +1d 00:00:00.000  ══ the end ════════════════════════════════════`.slice(1),
  );
});

Deno.test("formatTimeline() keeps to the width, whatever is in the history", () => {
  const long = "word ".repeat(100);
  const history: WorkflowEvent[] = [
    { type: "workflow_started", at: 0, workflowName: long },
    { type: "activity_started", at: 0, seq: 0, name: "a".repeat(300) },
    { type: "activity_failed", at: 0, seq: 0, attempt: 1, error: { name: "Error", message: long } },
    { type: "signal_received", at: 0, name: "s", payload: { long: [long, long] }, signalId: "" },
    { type: "something_with_a_name_like_this", at: 1, long } as unknown as WorkflowEvent,
    { type: "workflow_completed", at: 100 * DAY_MS, result: new Map([[long, new Set([long])]]) },
  ];
  const marks = [{ after: 2, at: 0, text: long }];
  for (const width of [70, 100, 140]) {
    const lines = formatTimeline({ createdAt: 0, history }, { width, marks }).split("\n");
    assertEquals(lines.filter((line) => line.length > width), []);
    assert(lines.length <= 3 * history.length + 1);
  }
});

Deno.test("formatTimeline() breaks a long detail into lines that hang below it", () => {
  const history: WorkflowEvent[] = [
    { type: "workflow_completed", at: 0, result: "one two three four five six seven" },
  ];
  assertEquals(formatTimeline({ createdAt: 0, history }, { width: 60 }).split("\n"), [
    "1  +00:00:00.000  workflow completed  one two three four",
    `${" ".repeat(38)}five six seven`,
  ]);
});

Deno.test("formatTimeline() shows nothing that moves a terminal's cursor", () => {
  const evil = "a\nb\x1b[2J\u2028c\x9b1A";
  const history: WorkflowEvent[] = [
    { type: "workflow_started", at: 0, workflowName: evil },
    { type: "activity_started", at: 0, seq: 0, name: evil },
    { type: "signal_received", at: 0, name: evil, payload: evil, senderId: evil, signalId: "" },
    { type: "cancel_requested", at: 0, reason: evil },
    { type: "workflow_failed", at: 0, error: { name: evil, message: evil } },
  ];
  const text = formatTimeline({ createdAt: 0, history }, {
    marks: [{ after: 0, at: 0, text: evil }],
  });
  assertEquals(text.split("\n").length, 6);
  assert(!/[\p{Cc}\u2028]/u.test(text.replaceAll("\n", "")));
});

Deno.test("formatTimeline() shows an event that it does not know, and an outcome without its command", () => {
  const history = [
    { type: "moon_landed", at: 0, seq: 3, crew: 2 },
    { type: "activity_completed", at: 0, seq: 9, attempt: 1, result: 1 },
    { type: "timer_fired", at: 0, seq: 10 },
  ] as unknown as WorkflowEvent[];
  assertEquals(formatTimeline({ createdAt: 0, history }).split("\n"), [
    "1  +00:00:00.000  moon landed         { seq: 3, crew: 2 }",
    "2  +00:00:00.000  activity completed  ?: 1",
    "3  +00:00:00.000  timer fired",
  ]);
});

Deno.test("formatTimeline() is empty when the history is", () => {
  assertEquals(formatTimeline({ createdAt, history: [] }), "");
});

Deno.test("formatSince() shows a signed time with days only where there are any", () => {
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
  assertEquals(formatDuration(DAY_MS + 60_000), "1 d"); // no third unit in the place of the second
});

Deno.test("formatValue() shows any stored value on one line", () => {
  assertEquals(
    [undefined, null, "plain text", 1n, { a: [1, "x\ny"] }, new Date(0), new Set([1])].map(
      formatValue,
    ),
    [
      "undefined",
      "null",
      "plain text",
      "1n",
      '{ a: [ 1, "x\\ny" ] }',
      "1970-01-01T00:00:00.000Z",
      "Set(1) { 1 }",
    ],
  );
});

Deno.test("formatError() shows the causes", () => {
  const cause = { name: "TypeError", message: "", cause: error };
  assertEquals(
    formatError({ name: "Error", message: "Top", cause }),
    "Error: Top, caused by TypeError, caused by Error: No luck",
  );
});
