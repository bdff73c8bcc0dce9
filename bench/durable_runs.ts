/**
 * The questions of `sqlite_floor.ts` and `postgres_floor.ts`: what runs on a durable store cost.
 *
 * @module
 */

import { Executor, type WorkflowContext, type WorkflowStore } from "../mod.ts";

/** Measures `body`, which does `count` of what is named, as often as it likes: at most `rounds` + 1 times. */
type Measure = (name: string, count: number, body: () => Promise<void>) => Promise<void>;

/** Runs with one activity, one after the other and at once; and a signal to each of 1,000 runs. */
export async function measureRuns(store: WorkflowStore, rounds: number, measure: Measure): Promise<void> {
  await using executor = new Executor({ store });
  let runs = 0;
  const start = <T>(workflow: (ctx: WorkflowContext) => Promise<T>) => executor.execute(workflow, { id: `${runs++}` });
  const one = (ctx: WorkflowContext) => ctx.executeActivity(() => 1);
  const many = <T>(count: number, body: () => Promise<T>) => Promise.all(Array.from({ length: count }, body));
  for (const [atOnce, count] of [[1, 100], [100, 1000], [1000, 2000]]) {
    await measure(`start, one activity and end, ${atOnce} at once`, count, async () => {
      for (let i = 0; i < count; i += atOnce) await many(atOnce, async () => await (await start(one)).result());
    });
  }
  const waiting = await many(1000 * (rounds + 1), () => start((ctx) => ctx.waitForSignal("go")));
  await measure("a signal to each of 1,000 runs, and their end", 1000, async () => {
    const handles = waiting.splice(0, 1000);
    await Promise.all(handles.map(async (handle) => {
      await handle.signal("go");
      await handle.result();
    }));
  });
}
