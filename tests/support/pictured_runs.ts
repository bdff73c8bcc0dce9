/**
 * Runs for the tests of the pictures: one event of every type, real runs of random workflows, and hostile ones.
 *
 * @module
 */

import type { WorkflowEvent, WorkflowState } from "@rockpool/workflow";
import type { PicturedRun } from "@rockpool/workflow/pictures";
import { seeded } from "@rockpool/workflow/testing";
import { Fakes } from "./fakes.ts";
import { randomDeliveries, randomProgram, randomStep } from "./random_workflow.ts";
import { play } from "./restarts.ts";

const error = { name: "RangeError", message: "No luck" };

/** A run of about ten seconds with events of every type. Times begin at 1,000,000. */
export const everything: PicturedRun = {
  workflowId: "RP-1",
  workflowName: "order",
  status: "canceled",
  history: ([
    {
      type: "workflow_started",
      at: 0,
      workflowName: "order",
      input: { items: 3 },
      timeoutMs: 60_000,
      startAt: 1_001_000,
    },
    { type: "activity_started", at: 1000, seq: 0, name: "reserve", input: 4 },
    { type: "activity_completed", at: 1250, seq: 0, attempt: 1, result: "set aside" },
    { type: "activity_started", at: 1250, seq: 1, name: "charge" },
    { type: "activity_attempt_failed", at: 1500, seq: 1, attempt: 1, error, retryAt: 1_002_500 },
    { type: "activity_heartbeat", at: 2600, seq: 1, attempt: 2, details: { step: 2 } },
    { type: "activity_completed", at: 3000, seq: 1, attempt: 2, result: { id: "p-1", cents: 133_500n } },
    { type: "timer_started", at: 3000, seq: 2, dueAt: 1_005_000 },
    { type: "timer_fired", at: 5000, seq: 2 },
    { type: "timer_started", at: 5000, seq: 3, dueAt: 91_000_000 },
    { type: "signal_received", at: 5500, name: "approval", payload: ["Mara"], senderId: "office", signalId: "1" },
    { type: "patched", at: 5500, changeId: "carrier-v2" },
    { type: "side_effect", at: 5500, seq: 4, value: 42 },
    { type: "child_started", at: 5500, seq: 5, name: "pack", workflowId: "RP-1:5", closePolicy: "cancel" },
    { type: "child_started", at: 5500, seq: 6, name: "weigh", workflowId: "RP-1:6", closePolicy: "cancel" },
    { type: "child_completed", at: 6500, seq: 5, result: "packed" },
    { type: "update_accepted", at: 7000, updateId: "u", name: "rename", input: "oak" },
    { type: "child_failed", at: 7500, seq: 6, error },
    { type: "update_completed", at: 8000, updateId: "u", result: true },
    { type: "activity_started", at: 8000, seq: 7, name: "ship" },
    { type: "cancel_requested", at: 9000, reason: "moving abroad" },
    { type: "compensation_started", at: 9000, seq: 8, name: "release" },
    { type: "activity_started", at: 9000, seq: 9, name: "release" },
    { type: "activity_failed", at: 10_000, seq: 9, attempt: 1, error },
    { type: "workflow_canceled", at: 10_000, error: { name: "CanceledError", message: "Canceled", cause: error } },
  ] as WorkflowEvent[]).map((event) => ({ ...event, at: 1_000_000 + event.at })),
};

/** A run with updates that another executor asked for. */
export const withRequests: PicturedRun = {
  workflowId: "a",
  workflowName: "name",
  status: "running",
  history: [
    { type: "workflow_started", at: 0, workflowName: "name" },
    { type: "update_requested", at: 10, updateId: "u", name: "rename", input: "oak" },
    { type: "update_requested", at: 10, updateId: "v", name: "rename", input: "" },
    { type: "update_accepted", at: 20, updateId: "u", name: "rename", input: "oak" },
    { type: "update_rejected", at: 20, updateId: "v", error: { name: "RangeError", message: "No name" } },
    { type: "update_completed", at: 50, updateId: "u", result: true },
    { type: "update_requested", at: 60, updateId: "w", name: "rename", input: "elm" },
  ],
};

/** Real runs of random workflows: each as it ended, and with half of its history. */
export async function randomRuns(seeds: number): Promise<PicturedRun[]> {
  const runs = await Promise.all(Array.from({ length: seeds }, async (_, seed): Promise<PicturedRun[]> => {
    const random = seeded(seed);
    const input = { do: "sequence", steps: [1, 2, 3, 4].map(() => randomStep(random)) } as const;
    const { state } = await play({
      workflow: randomProgram(new Fakes()),
      input,
      timeoutMs: 5000,
      deliveries: randomDeliveries(random),
    });
    const half = state.history.slice(0, Math.ceil(state.history.length / 2));
    return [state, { ...state, status: "running", history: half }];
  }));
  return runs.flat();
}

/** Texts that have a meaning for terminals, XML or Mermaid, or whose width is hard to measure. */
export const EVIL: readonly string[] = [
  ...["end", "", " ", "section x", "title", "click a", "wrap:", "as", "style : #1;", "%%{init: {}}%%", "participant p"],
  ...[
    "a:b;c#d",
    "->>",
    "--x w",
    "a\nb\r\tc",
    "\x1b[2J\u2028\x9b1A",
    "<b>&amp;\"'</b>",
    "]]>",
    "<!-- --",
    "\u0000\ufffe\ufeff",
  ],
  ...[
    "\ud800",
    "\u202eevil",
    "在庫を確保する".repeat(40),
    "🚀👩‍👩‍👧‍👦".repeat(60),
    "Щ".repeat(300),
    "e" + "\u0301".repeat(500),
  ],
  ...["مرحبا עולם नमस्ते สวัสดี ﷽", "W".repeat(5000), "word ".repeat(100), "__proto__", "constructor", "ﬂ°°35¶ß"],
];

/** Runs with a hostile text in every place of a text, also at impossible times. */
export function evilRuns(): PicturedRun[] {
  const put = (value: unknown, text: string): unknown => {
    if (typeof value === "string") return text;
    if (Array.isArray(value)) return value.map((item) => put(item, text));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        return [key, key === "type" || key === "closePolicy" ? item : put(item, text)];
      }),
    );
  };
  const random = seeded(1);
  return EVIL.flatMap((text, i) => {
    const history = everything.history.map((event) => put(event, text) as WorkflowEvent);
    const strange = history.filter(() => random() < 0.8).map((event) => {
      return { ...event, at: [event.at, event.at * 1e6, 0, -event.at, event.at + random(), NaN][i % 6] };
    });
    const later = { type: text, at: 5, seq: 3, text } as unknown as WorkflowEvent;
    const run = { workflowId: text, workflowName: text, status: everything.status };
    return [{ ...run, history }, { ...run, status: "running", history: [...strange, later] }] as PicturedRun[];
  });
}

/** A long run: each round has an activity, which sometimes fails, and a timer; some rounds have a signal. */
export function longRun(rounds: number, names = 1): Pick<WorkflowState, keyof PicturedRun> {
  const history: WorkflowEvent[] = [{ type: "workflow_started", at: 0, workflowName: "watch" }];
  for (let i = 0; i < rounds; i++) {
    const at = i * 30_000;
    const [seq, name] = [2 * i, `poll ${i % names}`];
    history.push({ type: "activity_started", at, seq, name });
    const attempt = i % 50 === 49 ? 2 : 1;
    if (attempt === 2) {
      history.push({ type: "activity_attempt_failed", at: at + 10, seq, attempt: 1, error, retryAt: at + 500 });
    }
    history.push({ type: "activity_completed", at: at + 1000, seq, attempt, result: i });
    history.push({ type: "timer_started", at: at + 1000, seq: seq + 1, dueAt: at + 30_000 });
    if (i % 20 === 7) {
      history.push({ type: "signal_received", at: at + 9000, name: "level", payload: i, signalId: `${i}` });
    }
    history.push({ type: "timer_fired", at: at + 30_000, seq: seq + 1 });
  }
  history.push({ type: "workflow_completed", at: rounds * 30_000, result: "watched" });
  return { workflowId: "gauge", workflowName: "watch", status: "completed", history };
}
