/** What stores of a user are made of: checks and copies of arguments, heads, filters, pages. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type AppendBatch,
  VirtualClock,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowHead,
  type WorkflowStateInit,
} from "@rockpool/workflow";
import {
  applyToHead,
  batchKind,
  Listeners,
  readBatch,
  readFilter,
  readId,
  readPage,
  readState,
  toCursor,
  toState,
} from "@rockpool/workflow/storage";
import { FrozenBatch } from "../history/history.ts";

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: { n: 1 } };
const fired: WorkflowEvent = { type: "timer_fired", at: 2, seq: 0 };
const completed: WorkflowEvent = { type: "workflow_completed", at: 3, result: "out" };
const batch = (part: Partial<AppendBatch> = {}): AppendBatch => ({
  workflowId: "a",
  runId: "1",
  expectedLength: 0,
  events: [started],
  ...part,
});
const running: WorkflowHead = Object.freeze({
  workflowId: "a",
  runId: "1",
  firstRunId: "1",
  workflowName: "w",
  status: "running",
  input: { n: 1 },
  createdAt: -5,
  updatedAt: 1,
  historyLength: 7,
});

Deno.test("applyToHead() creates a run", () => {
  assertEquals(applyToHead(null, batch()), { ...running, createdAt: 1, historyLength: 1 });
});

Deno.test("applyToHead() adds to the length, and finishes a run", () => {
  const more = applyToHead(running, batch({ expectedLength: 7, events: [fired, fired] }));
  assertEquals(more, { ...running, updatedAt: 2, historyLength: 9 });
  const last = applyToHead(more, batch({ expectedLength: 9, events: [completed] }));
  assertEquals(last, { ...running, updatedAt: 3, historyLength: 10, status: "completed", result: "out" });
});

Deno.test("applyToHead() continues a run as a new one, which keeps createdAt", () => {
  const next = applyToHead(running, batch({ runId: "2", expectedLength: 7, replaces: "1", events: [started, fired] }));
  assertEquals(next, { ...running, runId: "2", firstRunId: "2", updatedAt: 2, historyLength: 2 });
});

Deno.test("applyToHead() returns the head itself for a batch without events", () => {
  assertStrictEquals(applyToHead(running, batch({ expectedLength: 7, events: [] })), running);
});

Deno.test("applyToHead() refuses a batch that does not fit with a conflict", () => {
  const { code, message } = assertThrows(
    () => applyToHead(running, batch({ expectedLength: 6, events: [fired] })),
    WorkflowError,
  );
  assertEquals([code, message], [
    "conflict",
    'Cannot append to workflow "a": it has 7 events, the writer expected 6',
  ]);
  assertThrows(
    () => applyToHead(null, batch({ expectedLength: 1, events: [fired] })),
    WorkflowError,
    "it is not stored",
  );
});

Deno.test("applyToHead() refuses a malformed batch with a TypeError", () => {
  assertThrows(() => applyToHead(null, batch({ runId: "" })), TypeError, '"runId" must be a non-empty string');
});

Deno.test("batchKind() tells the four kinds of batch apart", () => {
  assertEquals(
    [
      batch(),
      batch({ replaces: "0" }),
      batch({ expectedLength: 2, replaces: "0" }),
      batch({ expectedLength: 2, events: [fired, completed] }),
      batch({ expectedLength: 2, events: [] }),
    ].map(batchKind),
    ["create", "create", "continue", "append", "confirm"],
  );
});

Deno.test("toState() puts the history in place of its length", () => {
  const { historyLength: _1, firstRunId: _2, ...fields } = running;
  assertEquals(toState(running, [started]), { ...fields, history: [started] });
});

Deno.test("readState() copies, freezes and fills in defaults", () => {
  const input = { n: 1 };
  const given = { workflowId: "a", status: "running" as const, input, history: [started] };
  const { head, events, createdAt } = readState(given, new VirtualClock({ startAt: 9 }));
  input.n = 2;
  const times = { createdAt: 9, updatedAt: 9 };
  assertEquals(head, { ...running, ...times, runId: "", firstRunId: "", workflowName: "", historyLength: 1 });
  assertEquals([events, createdAt], [[started], undefined]);
  assert(Object.isFrozen(head.input) && Object.isFrozen(events[0]));
});

Deno.test("readState() returns the createdAt that it was given", () => {
  assertEquals(readState({ workflowId: "a", status: "running", createdAt: 4 }).createdAt, 4);
});

Deno.test("readState() refuses a malformed state", () => {
  assertThrows(() => readState({ workflowId: "a" } as WorkflowStateInit), TypeError, '"status" must be one of');
  assertThrows(() => readState(null!), TypeError, '"state" must be an object, got null');
});

Deno.test("readBatch() copies and freezes the events, and reads the batch once", () => {
  let reads = 0;
  const given = {
    ...batch(),
    get events() {
      reads++;
      return [{ ...started }];
    },
  };
  const copy = readBatch(given);
  assertEquals([{ ...copy }, reads], [{ ...batch(), replaces: undefined }, 1]);
  assert(Object.isFrozen(copy.events[0]));
});

Deno.test("readBatch() returns what it has returned", () => {
  const copy = readBatch(batch());
  assertStrictEquals(readBatch(copy), copy);
});

Deno.test("readId() returns an ID, and refuses what is none", () => {
  assertEquals(readId("a", "load workflow"), "a");
  const message = 'Cannot load workflow: "workflowId" must be a non-empty string, got ""';
  assertThrows(() => readId("", "load workflow"), TypeError, message);
});

Deno.test("readFilter() returns all workflows by default", () => {
  assertEquals(readFilter(), {
    statuses: undefined,
    matches: undefined,
    workflowName: undefined,
    idPrefix: "",
    labels: [],
    createdAfter: -Infinity,
    createdBefore: Infinity,
    order: "asc",
    limit: Infinity,
  });
});

Deno.test("readFilter() returns the statuses once each, and a function for the rest", () => {
  const { statuses, matches } = readFilter({ status: ["failed", "failed"], labels: { k: "v" }, idPrefix: "a" });
  assertEquals(statuses, ["failed"]);
  assertEquals([matches!(running), matches!({ ...running, labels: { k: "v", l: "" } })], [false, true]);
  assertEquals(matches!({ ...running, workflowId: "b", labels: { k: "v" } }), false);
});

Deno.test("readPage() returns a place that is a text, and refuses what does not look like one", () => {
  const cursor = toCursor("0a", "desc");
  assertEquals(readPage({ order: "desc", cursor }, "list workflows", /^[0-9a-f]{2}$/).place, "0a");
  for (const wrong of [cursor, "0adesc", "xxasc", "asc"]) {
    assertThrows(() => readPage({ cursor: wrong }, "list workflows", /^[0-9a-f]{2}$/), TypeError, '"cursor" must be');
  }
});

Deno.test("readPage() returns the place of a cursor, and refuses one of the other order", () => {
  const { query, after } = readPage({ order: "desc" });
  assertEquals([after, query.limit], [undefined, 100]);
  const cursor = toCursor(5, query.order);
  assertEquals(readPage({ order: "desc", cursor }).after, 5);
  assertThrows(() => readPage({ cursor }), TypeError, '"cursor" must be the cursor of a page with "order" "asc"');
});

Deno.test("Listeners.call() does not call the listener of the executor that made the append", () => {
  const listeners = new Listeners();
  const calls: string[] = [];
  const [own, other] = ["own", "other"].map((name) => () => void calls.push(name));
  listeners.add(own);
  listeners.add(other);
  const made = new FrozenBatch("a", "1", 0, [started], undefined, own);
  listeners.call("a", 1, readBatch(made));
  listeners.call("a", 1, readBatch(batch()));
  assertEquals(calls, ["other", "own", "other"]);
});

Deno.test("Listeners.add() refuses what is no function", () => {
  assertThrows(
    () => new Listeners().add(null!),
    TypeError,
    'Cannot subscribe: "listener" must be a function, got null',
  );
});
