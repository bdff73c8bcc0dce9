/**
 * Several executors share one failing store, and each can crash at any time. Random workflows answer updates, start
 * children and continue as new. Invariants:
 *
 * 1. Every history is well formed, and replays to the outcome of its run.
 * 2. Every run ends, every call is answered, and all executors report the same outcome.
 * 3. A signal that was sent is received once over all runs of the chain, unless the last run left it unread.
 * 4. A run of the chain handles an update once, and every caller gets the same answer.
 * 5. No activity begins in an executor that knows its outcome. Nothing is undone while something in the same scope is in flight.
 * 6. A child is closed by its policy when its parent ends. A child with the policy `abandon` continues.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  VirtualClock,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowState,
} from "@rockpool/workflow";
import { FaultyStore, seeded } from "@rockpool/workflow/testing";
import { CountingClock, Fakes } from "./fakes.ts";
import { Knowledge } from "./knowledge.ts";
import { assertUndoneLast } from "./random_workflow.ts";
import { gotten, randomEntity, randomEntityProgram, take } from "./random_entity.ts";
import { outcomeOf, playFrom } from "./restarts.ts";
import { macrotasks, settle, silent } from "./executors.ts";
import { assertWellFormed } from "./well_formed.ts";

/**
 * The error codes of an executor that cannot reach a workflow. It is `conflict` if another executor has continued the
 * workflow as new before it was known whether a signal or an update was stored.
 */
const unreachable = ["not_found", "unsupported", "closed", "conflict"];
const isUnreachable = (error: unknown) => error instanceof WorkflowError && unreachable.includes(error.code);

/** Totals over all walks. The test fails if they are small: then it has tested too little. */
export const totals = { restarts: 0, continued: 0, children: 0, answers: 0, signals: 0 };

/** Plays one random scenario, and checks the invariants. */
export async function walkSeveral(seed: number): Promise<void> {
  const random = seeded(seed * 104_729);
  const integer = (below: number) => Math.floor(random() * below);
  const inner = new InMemoryStore();
  const clock = new VirtualClock();
  const store = new FaultyStore(inner, { seed, clock, ...(seed % 2 ? { slowReadMs: [0, 20], staleRead: 0.2 } : {}) });
  const fakes = new Fakes();
  fakes.clock = clock;
  const entity = randomEntityProgram(fakes);
  const clocks: CountingClock[] = [];
  const knowledge: Knowledge[] = [];
  const dormantAfterMs = seed % 3 === 0 ? integer(2) * 50 : undefined;
  const start = () => {
    const storeRetry = { maxAttempts: Infinity, initialIntervalMs: 5 };
    const onError = (error: unknown) => assert(isUnreachable(error), `seed ${seed}: ${error}`);
    const own = new CountingClock(clock);
    const known = new Knowledge(() => clock.now());
    clocks.push(own);
    knowledge.push(known);
    return new Executor({
      store: known.of(store),
      replaceActivity: known.replaceActivity,
      logger: silent,
      clock: own,
      random,
      storeRetry,
      onError,
      workflows: { scene: entity },
      dormantAfterMs,
    });
  };
  const executors = [start(), start(), start()];
  const randomExecutor = () => executors[integer(3)];
  const fail = (chance: number) => () => {
    if (random() < chance) throw new Error("the store failed");
  };
  store.before.append = store.after.append = fail(0.05);
  store.before.load = fail(0.03);

  const sent = new Set<number>();
  const answers = new Map<string, Set<string>>();
  const calls: Promise<unknown>[] = [];
  const act = async (n: number): Promise<void> => {
    const roll = random();
    try {
      if (roll < 0.4) {
        await randomExecutor().signal("root", "n", n);
        sent.add(n);
      } else if (roll < 0.8) {
        const updateId = `update ${integer(6)}`;
        const input = Number(updateId.slice(7));
        const answer = await outcomeOf(
          randomExecutor().update("root", take, input, { updateId }).catch((error) => {
            if (isUnreachable(error)) return undefined;
            throw error;
          }),
        );
        if (answer !== "undefined") answers.set(updateId, (answers.get(updateId) ?? new Set()).add(answer));
      } else if (roll < 0.83) await randomExecutor().cancel("root", "random");
      else if (roll < 0.93) {
        const i = integer(3);
        const old = executors[i];
        executors[i] = start();
        await old.close();
        await executors[i].recover();
        totals.restarts++;
      } else await randomExecutor().recover();
    } catch (error) {
      assert(isUnreachable(error), `seed ${seed}: ${error}`);
    }
  };

  await executors[0].execute(entity, { id: "root", input: randomEntity(random), timeoutMs: 4000 });
  const plans = Array.from({ length: 25 }, (_, n) => clock.setTimer(random() * 1500, () => void calls.push(act(n))));
  for (let i = 0; i < 400; i++) {
    await macrotasks(integer(20));
    // The executor of a run may have crashed; this one is perhaps closed while it reads.
    if (i % 20 === 19) {
      await randomExecutor().recover().catch((error) => assert(isUnreachable(error), `seed ${seed}: ${error}`));
    }
    if ((await inner.count({ status: "running" })) === 0) break;
  }
  for (const cancel of plans) cancel();
  await Promise.all(calls);
  await settle();
  const states = await inner.list();
  const running = states.filter(({ status }) => status === "running");
  assertEquals(
    running.map(({ workflowId, history }) => `${workflowId} ${history.at(-1)!.type}`),
    [],
    `seed ${seed}: left running`,
  );

  store.before.append = store.after.append = store.before.load = () => {};
  const root = states.find(({ workflowId }) => workflowId === "root")!;
  const outcomes = executors.map(async (executor) => outcomeOf((await executor.handle("root")).result()));
  assertEquals(new Set(await Promise.all(outcomes)).size, 1, `seed ${seed}: the executors do not agree`);
  await assertReceived(seed, executors[0], root, sent);
  await assertAnswers(seed, executors[0], root, answers);
  for (const state of states) {
    assertWellFormed(`seed ${seed}`, state);
    assertUndoneLast(`seed ${seed}`, state);
    assertClosed(seed, state, states);
    await assertReplays(seed, state);
  }
  await Promise.all(executors.map((executor) => executor.close()));
  assertEquals(clocks.filter(({ timers }) => timers > 0).length, 0, `seed ${seed}: timers of closed executors`);
  assertEquals(knowledge.flatMap(({ repeated }) => repeated), [], `seed ${seed}: began after their outcome`);
  totals.continued += (root.input as { runNumber: number }).runNumber;
  totals.children += states.length - 1;
  totals.answers += answers.size;
  totals.signals += sent.size;
}

/** A run replays to its outcome and calls no activity again. A terminated run is skipped: its code did not end it. */
async function assertReplays(seed: number, state: WorkflowState): Promise<void> {
  if (state.error?.data?.code === "terminated") return;
  const fakes = new Fakes();
  const { calls } = fakes;
  const { parent: _, ...started } = state.history[0] as WorkflowEvent & { type: "workflow_started" }; // the replay has no parent
  const history = [started, ...state.history.slice(1)];
  const replayed = await playFrom({ workflow: randomEntityProgram(fakes) }, { ...state, history }, -1);
  const [actual, expected] = [replayed.state, state].map((
    { status, result, error },
  ) => [status, result, error?.message]);
  const own = calls.filter((key) => key.startsWith(state.runId)); // without the calls of children, which do not run in the replay
  const message = `seed ${seed}: ${state.workflowId} on replay`;
  const ofReplay = (text: unknown) => typeof text === "string" ? text.replaceAll(state.workflowId, "a") : text;
  assertEquals([...actual, own], [...expected.map(ofReplay), []], message);
}

/** No signal is lost or received twice, over all runs of the chain. */
async function assertReceived(seed: number, executor: Executor, root: WorkflowState, sent: Set<number>): Promise<void> {
  const got: readonly number[] = await executor.query("root", gotten).catch((error) => {
    assertEquals(error.code, "not_found", `seed ${seed}`); // it was cancelled before its code began
    return [];
  });
  assertEquals(new Set(got).size, got.length, `seed ${seed}: got twice, ${got}`);
  const late = root.history.flatMap((event) => event.type === "signal_received" ? [event.payload as number] : []);
  const lost = [...sent].filter((n) => !got.includes(n) && !late.includes(n));
  assertEquals(lost, [], `seed ${seed}: lost, of ${[...sent]}; got ${got}`);
}

/** Each run of the chain gives one answer to an update, to all callers, and gives it again when the update is repeated. */
async function assertAnswers(
  seed: number,
  executor: Executor,
  { history }: WorkflowState,
  answers: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<void> {
  for (const [updateId, given] of answers) {
    assertEquals(given.size, 1, `seed ${seed}: ${updateId} was answered ${[...given]}`);
  }
  const completed = history.flatMap((event) => event.type === "update_completed" ? [event] : []);
  for (const { updateId, result, error } of completed) {
    const input = Number(updateId.slice(7));
    const again = await outcomeOf(executor.update("root", take, input, { updateId }));
    assert(again.includes(error?.message ?? `${result}`), `seed ${seed}: ${updateId} is answered ${again} afterwards`);
  }
}

/** A child was closed as its policy says. */
function assertClosed(seed: number, { workflowId, history, error }: WorkflowState, states: WorkflowState[]): void {
  const message = `seed ${seed}: child ${workflowId}`;
  const [started] = history as [WorkflowEvent & { type: "workflow_started" }];
  const { closePolicy } = started.parent ?? {};
  const reasons = history.flatMap((event) => event.type === "cancel_requested" ? [event.reason ?? ""] : []);
  const byParent = reasons.some((reason) => reason.startsWith("its parent"));
  assert(!byParent || closePolicy === "cancel", `${message} was cancelled although it is to ${closePolicy}`);
  const terminated = error?.data?.code === "terminated";
  if (error?.message.endsWith("it was cancelled before it began")) return;
  assert(!terminated || closePolicy === "terminate", `${message} was terminated although it is to ${closePolicy}`);
  if (terminated || reasons.length > 0) return; // then it may have ended before it started its children
  for (const event of history) {
    if (event.type !== "child_started" || event.closePolicy !== "abandon") continue;
    const { seq } = event;
    if (history.some((end) => end.type === "child_failed" && end.seq === seq && end.notBegun)) continue; // its handle cancelled it
    assert(
      states.some((state) => state.workflowId === event.workflowId),
      `${message}: ${event.workflowId} is not there`,
    );
  }
}
