/**
 * Random workflows under random disturbances, driven by one executor or by several: whatever happens, they write one history,
 * well formed, which replays.
 */

import { assert, assertEquals } from "@std/assert";
import type { WorkflowState } from "@rockpool/workflow";
import { assertReplays, seeded, simulate } from "@rockpool/workflow/testing";
import { randomProgram, randomStep, randomVisits } from "./tools/random_workflow.ts";

/** How many random workflows, and the seed of the first one. Change these for a longer run. */
const [SEEDS, FIRST_SEED] = [1000, 1];

/** What must hold of every history, whoever wrote it. */
function assertWellFormed({ history }: WorkflowState): void {
  const seen = new Set<string>();
  for (const [i, event] of history.entries()) {
    const { type } = event;
    const message = `event ${i + 1}, ${type}`;
    assertEquals(type === "workflow_started", i === 0, message);
    assert(i === history.length - 1 || !/^workflow_(?!started)/.test(type), message);
    if (!("seq" in event)) continue;
    const started = /_started$|^side_effect$/.test(type);
    const key = started ? "started" : type === "activity_attempt_failed" ? `attempt ${event.attempt}` : "resolved";
    assert(!seen.has(`${key} ${event.seq}`), `${message}: ${event.seq} ${key} twice`);
    assert(started || seen.has(`started ${event.seq}`), `${message}: ${event.seq} was not started`);
    seen.add(`${key} ${event.seq}`);
    if (started && event.seq > 0) assert(seen.has(`started ${event.seq - 1}`), `${message}: a command is missing`);
  }
  const ids = history.flatMap((event) => event.type === "signal_received" ? [event.signalId] : []);
  assertEquals(new Set(ids).size, ids.length, "a signal came twice");
}

for (const executors of [1, 3]) {
  const drivers = executors === 1 ? "one executor" : `${executors} executors`;
  Deno.test(`Random workflows that are disturbed and driven by ${drivers} write one history that replays`, async () => {
    let disturbances = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const random = seeded(seed);
      const workflow = randomProgram([]);
      const steps = [0, 1, 2].map(() => randomStep(random));
      const visits = randomVisits(random);
      const signals = visits.flatMap((visit) =>
        "signal" in visit ? [{ atMs: visit.at, name: visit.signal, payload: visit.payload }] : []
      );
      const [cancel] = visits.flatMap((visit) => "cancel" in visit ? [{ atMs: visit.at, reason: visit.cancel }] : []);
      const report = await simulate({
        workflow,
        input: { do: "sequence", steps },
        timeoutMs: 1 + random() * 5000,
        executors,
        signals,
        cancel,
        always: ({ state }) => state && assertWellFormed(state),
        atEnd: async ({ state }) => {
          await assertReplays(workflow, state!);
        },
      }, { seeds: [seed] });
      disturbances += report.disturbances;
    }
    assert(disturbances > 4 * SEEDS, `only ${disturbances} disturbances`);
  });
}
