/**
 * Random operations on the store against a model of it: a plain array in order of creation, changed in place.
 *
 * A failure names the seed and the step; put the seed first in `SEEDS` to see it again.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  type AppendBatch,
  InMemoryStore,
  VirtualClock,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowState,
  type WorkflowStatus,
} from "@rockpool/workflow";
import { seeded } from "./tools/testing.ts";

const SEEDS = [1, 2, 3, 20_240, 987_654_321];
const STEPS = 20_000;
const statuses: WorkflowStatus[] = ["running", "completed", "failed", "canceled"];

type Model = { -readonly [K in keyof WorkflowState]: WorkflowState[K] }[];

/** What `append` is to do, written down once more and otherwise: the reason of the conflict, or none. */
function appendTo(model: Model, { workflowId, runId, expectedLength, events, replaces }: AppendBatch): string {
  const index = model.findIndex((state) => state.workflowId === workflowId);
  let state = model[index];
  const first = events[0];
  if (first.type === "workflow_started") {
    if (state && (state.status === "running" || state.runId !== replaces)) return "conflict";
    if (!state && replaces !== undefined) return "conflict";
    if (state) model.splice(index, 1);
    const { workflowName, input, at } = first;
    state = { workflowId, runId, workflowName, status: "running", history: [], createdAt: at, updatedAt: at };
    if (input !== undefined) (state as { input?: unknown }).input = input;
    model.push(state);
  } else if (!state || state.runId !== runId || state.status !== "running" || state.history.length !== expectedLength) {
    return "conflict";
  }
  const fields = state as Model[number];
  fields.history = fields.history.concat(events);
  for (const event of events) {
    fields.updatedAt = event.at;
    if (event.type === "workflow_completed") {
      fields.status = "completed";
      fields.result = event.result;
    } else if (event.type === "workflow_failed" || event.type === "workflow_canceled") {
      fields.status = event.type === "workflow_failed" ? "failed" : "canceled";
      fields.error = event.error;
    }
  }
  return "";
}

async function play(seed: number): Promise<void> {
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const pick = <T>(values: readonly T[]): T => values[below(values.length)];
  const clock = new VirtualClock();
  const store = new InMemoryStore({ clock });
  const model: Model = [];
  const find = (id: string) => model.find(({ workflowId }) => workflowId === id);
  let told: [string, number | null][] = [];
  store.subscribe((...change) => told.push(change));
  const loaded: [WorkflowState, string][] = [];

  const value = () => pick([undefined, 1, "text", { n: below(9), list: [below(9)] }, [null, true], new Date(below(9))]);
  const event = (): WorkflowEvent => ({
    type: "signal_received",
    at: below(1000),
    name: pick(["s", "t"]),
    signalId: `${below(1e6)}`,
    payload: value() ?? null,
  });
  const last = (): WorkflowEvent => {
    const at = below(1000);
    const error = { name: "Error", message: `${at}`, data: { at } };
    return pick<WorkflowEvent>([
      { type: "workflow_completed", at, result: value() ?? null },
      { type: "workflow_failed", at, error },
      { type: "workflow_canceled", at, error },
    ]);
  };
  const events = () => Array.from({ length: below(3) }, event);

  const operations: (() => Promise<void>)[] = [
    async function save() {
      const id = `w${below(12)}`;
      const before = find(id);
      const parts: Partial<Model[number]> = {};
      if (below(2)) parts.runId = `${below(3)}`;
      if (below(2)) parts.workflowName = "saved";
      if (below(2)) parts.createdAt = below(1000);
      if (below(2)) parts.updatedAt = below(1000);
      if (below(2)) parts.input = value() ?? null;
      if (below(3) === 0) {
        parts.history = before && below(2) ? (await store.load(id))!.history.slice(below(3)) : events();
      }
      const status = pick(statuses);
      await store.save({ workflowId: id, status, ...parts });
      const state = { workflowId: id, status, runId: "", workflowName: "", history: [], ...parts };
      const times = { createdAt: before?.createdAt ?? clock.now(), updatedAt: clock.now() };
      if (before) model[model.indexOf(before)] = { ...times, ...state };
      else model.push({ ...times, ...state });
      assertEquals(told, [[id, null]]);
    },
    async function append() {
      const id = `w${below(12)}`;
      const state = find(id);
      const starts = below(3) === 0;
      const first: WorkflowEvent = {
        type: "workflow_started",
        at: below(1000),
        workflowName: "appended",
        input: value(),
      };
      const list = [...(starts ? [first] : []), ...events(), ...(below(4) === 0 ? [last()] : [])];
      if (list.length === 0) list.push(event());
      const astray = below(5) === 0;
      const batch: AppendBatch = {
        workflowId: id,
        runId: !astray && !starts && state?.runId || `${below(3) + 1}`,
        expectedLength: starts ? 0 : Math.max(1, (state?.history.length ?? 0) + (astray ? below(3) - 1 : 0)),
        events: list,
        ...(starts && below(2) && state?.runId && { replaces: state.runId }),
      };
      if (batch.replaces === batch.runId) return;
      const why = appendTo(model, batch);
      const outcome = await store.append(batch).then(() => "", (error) => {
        return error instanceof WorkflowError ? error.code : error;
      });
      assertEquals(outcome, why);
      assertEquals(told, why ? [] : [[id, find(id)!.history.length]]);
    },
    async function load() {
      const id = `w${below(13)}`;
      const state = await store.load(id);
      assertEquals(state, find(id) ?? null);
      if (state && below(20) === 0) loaded.push([state, JSON.stringify(state)]);
    },
    async function list() {
      const status = pick([undefined, pick(statuses), [pick(statuses), pick(statuses)], []]);
      const limit = pick([undefined, below(14)]);
      const wanted = model.filter((state) => status === undefined || [status].flat().includes(state.status));
      assertEquals(await store.list({ status, limit }), wanted.slice(0, limit));
    },
    async function remove() {
      const id = `w${below(12)}`;
      const index = model.findIndex(({ workflowId }) => workflowId === id);
      await store.delete(id);
      if (index >= 0) model.splice(index, 1);
      assertEquals(told, index >= 0 ? [[id, null]] : []);
    },
  ];
  const often = [0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4];

  for (let step = 0; step < STEPS; step++) {
    const operation = operations[pick(often)];
    told = [];
    try {
      await operation();
      assertEquals(store.size, model.length);
    } catch (cause) {
      throw new Error(`Seed ${seed}, step ${step}, ${operation.name}`, { cause });
    }
    clock.advance(below(2));
  }
  for (const [state, text] of loaded) assertEquals(JSON.stringify(state), text);
}

for (const seed of SEEDS) {
  Deno.test(`InMemoryStore does what its model does in ${STEPS} random operations, seed ${seed}`, () => play(seed));
}
