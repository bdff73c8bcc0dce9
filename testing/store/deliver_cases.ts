/**
 * The contract of the optional `deliver()`.
 *
 * @module
 */

import type {
  CancelRequestedEvent,
  DeliveredEvent,
  Delivery,
  UpdateRequestedEvent,
  WorkflowEvent,
} from "../../types.ts";
import { showValue } from "../../util/show_value.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";
import {
  type Anything,
  batch,
  canceled,
  type CaseBody,
  completed,
  error,
  failed,
  fired,
  fullState,
  rejectsWithConflict,
  started,
} from "./fixtures.ts";
import { type FullStore, memberCase, rejectsWith, sent, startedWith } from "./members.ts";
import { listenTo } from "./subscribe_cases.ts";

const asked = (updateId: string): UpdateRequestedEvent => ({ type: "update_requested", at: 2, updateId, name: "u" });
const cancel: CancelRequestedEvent = { type: "cancel_requested", at: 2 };
const terminated = canceled as DeliveredEvent;

/** Delivers to workflow "a". */
const deliver = (store: FullStore, ...events: DeliveredEvent[]) => store.deliver({ workflowId: "a", events });

/** Delivers to workflow "a", and returns which events were added. */
const added = async (store: FullStore, ...events: DeliveredEvent[]) => (await deliver(store, ...events)).added;

/** The history of workflow "a". */
const historyOf = async (store: FullStore) => (await store.load("a"))?.history;

/** Checks that a delivery is refused with `not_found`, and that nothing has changed. */
async function notFound(store: FullStore, delivery: Delivery): Promise<void> {
  const before = await store.load(delivery.workflowId);
  await rejectsWith("not_found", () => store.deliver(delivery), `deliver(${showValue(delivery)})`);
  assertEquals(await store.load(delivery.workflowId), before, "the state after the refused delivery and before it");
}

/** Makes cases of which each has the message already, in another way. */
async function repeated(store: FullStore, event: DeliveredEvent, ways: readonly (readonly WorkflowEvent[])[]) {
  for (const [i, events] of ways.entries()) {
    const workflowId = `${i}`;
    const what = `deliver() of ${showValue(event)} to a run with the events ${showValue(events)}`;
    await store.append(batch({ workflowId, events }));
    const receipt = { runId: "1", historyLength: events.length, added: [false] };
    assertEquals(await store.deliver({ workflowId, events: [event] }), receipt, `the answer of ${what}`);
    assertEquals((await store.load(workflowId))?.history, [...events], `the history after ${what}`);
  }
}

/** The contract of `deliver()`, for stores that have it. */
export const deliverCases = (): CaseBody[] => [
  memberCase("deliver", "deliver() adds events to the end of the running run, whatever its length is", async (make) => {
    const store = await make();
    await store.append(batch());
    const events = [sent("1"), asked("1"), cancel];
    assertEquals(await deliver(store, ...events), { runId: "1", historyLength: 4, added: [true, true, true] });
    await store.append(batch({ expectedLength: 4, events: [fired(3), fired(4)] }));
    assertEquals(await deliver(store, sent("2")), { runId: "1", historyLength: 7, added: [true] });
    assertEquals(await historyOf(store), [started, ...events, fired(3), fired(4), sent("2")]);
    const state = await store.load("a");
    assertEquals([state?.status, state?.input, state?.updatedAt, state?.createdAt], ["running", "in", 2, 1]);
  }),
  memberCase("deliver", "deliver() adds events to a run that was saved", async (make) => {
    const store = await make();
    await store.save(fullState({ status: "running", history: [started, sent("1")] }));
    assertEquals(await added(store, sent("1"), sent("2")), [false, true], "which events were added");
    assertEquals(await historyOf(store), [started, sent("1"), sent("2")]);
  }),
  memberCase("deliver", "deliver() makes appends of the earlier length conflicts", async (make) => {
    const store = await make();
    await store.append(batch());
    await deliver(store, sent("1"));
    await rejectsWithConflict(store, { expectedLength: 1, events: [fired(2)] });
    await store.append(batch({ expectedLength: 2, events: [completed] }));
  }),
  memberCase("deliver", "deliver() ends the run by a termination", async (make) => {
    const store = await make();
    await store.append(batch());
    assertEquals(await deliver(store, sent("1"), terminated), { runId: "1", historyLength: 3, added: [true, true] });
    const state = await store.load("a");
    assertEquals([state?.status, state?.error, state?.updatedAt], ["canceled", error, 9]);
    await notFound(store, { workflowId: "a", events: [terminated] });
  }),
  memberCase(
    "deliver",
    "deliver() adds a signal once: the history holds its ID, or the first event remembers it",
    async (make) => {
      const store = await make();
      const remembered = { signalIds: ["0", "1"], updates: [] };
      await repeated(store, sent("1"), [
        [started, sent("1")],
        [started, sent("1"), fired(3), sent("2")],
        [startedWith({ firstRunId: "0", remembered })],
      ]);
      await store.append(batch());
      assertEquals(
        [await added(store, sent("1")), await added(store, sent("1"))],
        [[true], [false]],
        "the two answers",
      );
      await store.append(batch({ expectedLength: 2, events: [fired(3), sent("2")] }));
      assertEquals(
        await added(store, sent("2"), sent("3"), sent("1")),
        [false, true, false],
        "which events were added",
      );
      assertEquals(await historyOf(store), [started, sent("1"), fired(3), sent("2"), sent("3")]);
    },
  ),
  memberCase(
    "deliver",
    "deliver() adds an update once, also if it was accepted or answered, or is remembered",
    async (make) => {
      const store = await make();
      const base = { at: 2, updateId: "1" };
      const answer = { ...base, type: "update_completed", result: 1 } as const;
      const refusal = { ...base, type: "update_rejected", error } as const;
      const remembered = { signalIds: [], updates: [answer] };
      await repeated(store, asked("1"), [
        [started, asked("1")],
        [started, { ...base, type: "update_accepted", name: "u" }],
        [started, answer],
        [started, refusal],
        [startedWith({ firstRunId: "0", remembered })],
        [startedWith({ firstRunId: "0", remembered: { signalIds: [], updates: [refusal] } })],
      ]);
      await store.append(batch());
      assertEquals(
        [await added(store, asked("1")), await added(store, asked("1"))],
        [[true], [false]],
        "the two answers",
      );
    },
  ),
  memberCase("deliver", "deliver() adds one cancellation to a run, none if it began cancelled", async (make) => {
    const store = await make();
    await repeated(store, { ...cancel, reason: "again" }, [
      [started, cancel],
      [started, { ...cancel, reason: "other", timeoutMs: 5 }, fired(3)],
      [startedWith({ firstRunId: "0", canceled: true })],
    ]);
    await store.append(batch());
    assertEquals([await added(store, cancel), await added(store, cancel)], [[true], [false]], "the two answers");
  }),
  memberCase("deliver", "deliver() tells IDs of signals, of updates and of runs apart", async (make) => {
    const store = await make();
    await store.append(batch());
    await store.append(batch({ workflowId: "b" }));
    await deliver(store, sent("1"));
    assertEquals(await added(store, asked("1"), sent("cancel"), sent(""), cancel), [true, true, true, true]);
    assertEquals((await store.deliver({ workflowId: "b", events: [sent("1")] })).added, [true]);
    const ids = [
      "\0",
      "a\0",
      "\ud83d",
      "\u00e9",
      "e\u0301",
      "x".repeat(5_000),
      "__proto__",
      "signal 1",
      "\\",
      "\\u0000",
    ];
    assertEquals(
      await added(store, ...ids.map(sent)),
      ids.map(() => true),
      "whether signals with other IDs were added",
    );
    assertEquals(await added(store, ...ids.map(sent)), ids.map(() => false), "whether they were added again");
  }),
  memberCase("deliver", "deliver() adds an event once that is repeated in one call", async (make) => {
    const store = await make();
    await store.append(batch());
    const answer = await deliver(store, sent("1"), asked("1"), sent("1"), cancel, cancel, asked("1"), sent("2"));
    assertEquals(answer, { runId: "1", historyLength: 5, added: [true, true, false, true, false, false, true] });
    assertEquals(await historyOf(store), [started, sent("1"), asked("1"), cancel, sent("2")]);
  }),
  memberCase(
    "deliver",
    "deliver() forgets the messages of a run that is replaced, continued, saved or deleted",
    async (make) => {
      const store = await make();
      await store.append(batch());
      const isNew = async (what: string) => {
        assertEquals(await added(store, sent("1"), asked("1"), cancel), [true, true, true], `which were added ${what}`);
        assertEquals(await added(store, sent("1"), asked("1"), cancel), [false, false, false], `which again ${what}`);
      };
      await isNew("at first");
      const next = startedWith({ firstRunId: "1" });
      await store.append(batch({ runId: "2", expectedLength: 4, events: [next], replaces: "1" }));
      await isNew("to the next run of the chain");
      await store.append(batch({ runId: "2", expectedLength: 4, events: [completed] }));
      await store.append(batch({ runId: "3", replaces: "2" }));
      await isNew("to the run that replaced it");
      await store.save(fullState({ status: "running", history: [started] }));
      await isNew("to a saved run");
      await store.delete("a");
      await store.append(batch());
      await isNew("to a run with the ID of a deleted one");
    },
  ),
  memberCase(
    "deliver",
    "deliver() changes nothing if every event was added before, also if the run has finished",
    async (make) => {
      const store = await make();
      await store.append(batch());
      await deliver(store, sent("1"), cancel);
      await store.append(batch({ expectedLength: 3, events: [completed] }));
      const before = await store.load("a");
      const heard = store.subscribe === undefined ? undefined : listenTo(store);
      assertEquals(await deliver(store, cancel, sent("1")), { runId: "1", historyLength: 4, added: [false, false] });
      assertEquals(await store.load("a"), before, "the state after the repeated delivery and before it");
      await notFound(store, { workflowId: "a", events: [sent("1"), sent("2")] });
      if (heard === undefined) return;
      await store.save({ workflowId: "b", status: "running" });
      assertEquals((await heard.until(1))[0], ["b", null], "the first change that was reported after it");
      heard.end();
    },
  ),
  memberCase("deliver", "deliver() reports the length of the history to listeners", async (make) => {
    const store = await make();
    if (store.subscribe === undefined) return;
    await store.append(batch());
    const { until, end } = listenTo(store);
    await deliver(store, sent("1"), sent("2"));
    assertEquals(await until(1), [["a", 3]]);
    end();
  }),
  memberCase(
    "deliver",
    "deliver() rejects with not_found if there is no such workflow, or it is finished",
    async (make) => {
      const store = await make();
      await notFound(store, { workflowId: "a", events: [sent("1")] });
      for (const [i, last] of [completed, failed, canceled].entries()) {
        await store.append(batch({ workflowId: `${i}`, events: [started, last] }));
        for (const event of [sent("1"), asked("1"), cancel, terminated]) {
          await notFound(store, { workflowId: `${i}`, events: [event] });
        }
      }
    },
  ),
  memberCase("deliver", "deliver() rejects with not_found if it is a run of another chain", async (make) => {
    const store = await make();
    await store.append(batch());
    const events = [sent("1")];
    await notFound(store, { workflowId: "a", firstRunId: "0", events });
    assertEquals(
      (await store.deliver({ workflowId: "a", firstRunId: "1", events })).added,
      [true],
      "to the chain's run",
    );
    await store.append(batch({
      runId: "2",
      expectedLength: 2,
      events: [startedWith({ firstRunId: "1" })],
      replaces: "1",
    }));
    const { runId, added } = await store.deliver({ workflowId: "a", firstRunId: "1", events });
    assertEquals([runId, added], ["2", [true]], "the answer of the next run of the chain");
    await notFound(store, { workflowId: "a", firstRunId: "2", events: [sent("2")] });
  }),
  memberCase(
    "deliver",
    "deliver() beside other writers adds each event once, and loses none",
    async (make, connect) => {
      const store = await make();
      const other = await connect(store);
      await store.append(batch());
      let length = 1;
      const append = async () => {
        for (let i = 0; i < 10;) {
          try {
            await store.append(batch({ expectedLength: length, events: [fired(i)] }));
            i++;
            length++;
          } catch {
            length = (await store.load("a"))!.history.length;
          }
        }
      };
      const senders = Array.from(
        { length: 20 },
        (_, i) => deliver(i % 2 ? store : other, sent(`${i >> 2}`), sent(`own ${i}`)),
      );
      const [answers] = await Promise.all([Promise.all(senders), append()]);
      const history = (await other.load("a"))!.history;
      const ids = history.flatMap((event) => event.type === "signal_received" ? [event.signalId] : []);
      assertEquals(ids.length, new Set(ids).size, `how many of the signals ${showValue(ids)} are there once`);
      assertEquals(ids.length, 25, "the number of signals");
      assertEquals(history.filter(({ type }) => type === "timer_fired").length, 10, "the number of appended events");
      for (let i = 0; i < 5; i++) {
        const firsts = answers.slice(4 * i, 4 * i + 4).filter(({ added }) => added[0]).length;
        assertEquals(firsts, 1, `how many of 4 calls have added signal "${i}"`);
      }
    },
  ),
  memberCase("deliver", "deliver() sees the messages that another instance has stored", async (make, connect) => {
    const store = await make();
    const other = await connect(store);
    await store.append(batch());
    await deliver(store, sent("1"));
    assertEquals(await added(other, sent("1"), sent("2")), [false, true], "which events were added");
    await store.append(batch({ expectedLength: 3, events: [sent("3")] }));
    assertEquals(await added(other, sent("3")), [false], "whether an appended signal was added again");
    assertEquals(await added(store, sent("2")), [false], "whether a signal of the other instance was added again");
  }),
  memberCase("deliver", "deliver() copies the events at the call, and any value that can be cloned", async (make) => {
    const store = await make();
    await store.append(batch());
    const payload: Anything = { map: new Map([["k", { n: 1 }]]), date: new Date(5), undefined, big: 10n };
    const event: Anything = { ...sent("1"), payload };
    const expected = structuredClone(event);
    const events = [event];
    const delivered = deliver(store, ...events);
    payload.map.clear();
    payload.date.setTime(6);
    event.signalId = "2";
    await delivered;
    assertEquals(await historyOf(store), [started, expected]);
    const bad = { ...sent("3"), payload: { deep: [1, () => {}] } };
    const what = "deliver() of a function";
    const { message } = await assertRejects(() => deliver(store, sent("2"), bad), TypeError, what);
    assert(message.includes(".deep[1]"), `Expected the error of ${what} to name .deep[1], got: ${message}`);
    assertEquals(await historyOf(store), [started, expected], "the history after the refused delivery");
  }),
  memberCase(
    "deliver",
    "deliver() rejects a malformed delivery with a TypeError, and changes nothing",
    async (make) => {
      const store = await make();
      await store.append(batch());
      const before = await store.load("a");
      const bad: Anything[] = [
        null,
        { workflowId: "" },
        { workflowId: 1 },
        { firstRunId: "" },
        { firstRunId: 1 },
        { events: undefined },
        { events: [] },
        { events: [null] },
        { events: [{ ...sent("1"), at: "1" }] },
        { events: [{ type: "signal_received", at: 1, name: "s" }] },
        { events: [{ type: "x", at: 1 }] },
        { events: [sent("1"), fired(1)] },
        { events: [started] },
        { events: [completed] },
        { events: [failed] },
        { events: [terminated, sent("1")] },
      ];
      for (const part of bad) {
        const delivery = part && { workflowId: "a", events: [sent("1")], ...part };
        const call = `deliver(${showValue(delivery)})`;
        await assertRejects(() => store.deliver(delivery), TypeError, call);
        assertEquals(await store.load("a"), before, `the state after ${call} and before it`);
      }
    },
  ),
];
