/**
 * A mutex between workflows: at most one of them holds it, in order of their requests.
 *
 * The lock is a workflow. Others send it `request` and `release`, and it answers with a signal of the request's own name. A grant
 * is a lease: an owner that is dead or too slow holds it for `leaseMs` at most. An owner that has ended is passed over.
 *
 * `deno run examples/mutex.ts`
 *
 * @module
 */

import {
  activity,
  defineSignal,
  Executor,
  InMemoryStore,
  TimeoutError,
  VirtualClock,
  type WorkflowContext,
  WorkflowError,
} from "@rockpool/workflow";

interface Request {
  /** Identifies the request. */
  readonly ticket: string;
  readonly leaseMs: number;
}

const requested = defineSignal<Request>("request");
/** The lock is not needed any more: it was held, or the owner does not wait any more. */
const released = defineSignal<string>("release");
const granted = (ticket: string) => defineSignal<undefined>(`granted ${ticket}`);

/** A request, and the workflow that waits. */
export interface Waiting extends Request {
  readonly owner: string;
}

/** The input of a lock. */
export interface MutexState {
  /** The first one holds the lock. */
  readonly queue: readonly Waiting[];
  /** From how many events in its history on the lock continues as new. */
  readonly maxEvents: number;
}

export const newMutex: MutexState = { queue: [], maxEvents: 1000 };

/** The lock. */
export async function mutex(
  ctx: WorkflowContext<MutexState>,
  { queue: waiting, maxEvents }: MutexState,
): Promise<never> {
  const queue = [...waiting];
  ctx.handleSignal(requested, (request, { senderId }) => void queue.push({ ...request, owner: senderId! }));
  ctx.handleSignal(released, (ticket) => {
    const index = queue.findIndex((one) => one.ticket === ticket);
    if (index >= 0) queue.splice(index, 1);
  });
  while (ctx.historyLength < maxEvents) {
    await ctx.waitUntil(() => queue.length > 0);
    const [first] = queue;
    try {
      await ctx.signalWorkflow(first.owner, granted(first.ticket));
      await ctx.waitUntil(() => queue[0] !== first, { timeoutMs: first.leaseMs });
    } catch (error) {
      const ownerHasEnded = error instanceof WorkflowError && error.code === "not_found";
      if (!ownerHasEnded && !(error instanceof TimeoutError)) throw error;
      if (queue[0] === first) queue.shift();
    }
  }
  return await ctx.continueAsNew({ queue, maxEvents });
}

/**
 * Waits for the lock.
 *
 * @param leaseMs After this time the lock goes to the next one, whether or not it was released.
 * @returns The ticket for {@linkcode release}.
 */
export async function acquire(ctx: WorkflowContext, mutexId: string, leaseMs: number): Promise<string> {
  const ticket = ctx.uuid();
  try {
    await ctx.signalWorkflow(mutexId, requested, { ticket, leaseMs });
    await ctx.waitForSignal(granted(ticket));
  } catch (error) {
    await release(ctx, mutexId, ticket); // cancelled while it waits
    throw error;
  }
  return ticket;
}

/** Gives the lock back, also in a cancelled workflow. */
export async function release(ctx: WorkflowContext, mutexId: string, ticket: string): Promise<void> {
  await ctx.shield((ctx) => ctx.signalWorkflow(mutexId, released, ticket));
}

/** The outside world: what was printed, and when. */
const printed: string[] = [];
const clock = new VirtualClock({ startAt: 0 });
const print = activity((page: string) => void printed.push(`${clock.now() / 1000} s: ${page}`), {
  name: "print",
  timeoutMs: 10_000,
  retry: {},
});

const LEASE_MS = 60_000;

export async function printJob(ctx: WorkflowContext, pages: number): Promise<void> {
  const ticket = await acquire(ctx, "printer", LEASE_MS);
  try {
    // This workflow does not print without the lock: the deadline and the last attempt are shorter than the lease, and a print
    // that is cancelled has ended before the lock is released.
    await ctx.scope(async (ctx) => {
      for (let page = 1; page <= pages; page++) {
        await ctx.executeActivity(print, `page ${page} of ${ctx.workflowId}`);
        await ctx.sleep(5_000);
      }
    }, { timeoutMs: LEASE_MS - 20_000, waitForCanceled: true });
  } finally {
    await release(ctx, "printer", ticket);
  }
}

/** Runs the example, and prints what happens. */
export async function story(print: (line: string) => void): Promise<void> {
  printed.length = 0;
  const options = { store: new InMemoryStore(), clock, workflows: { mutex, printJob } };
  const first = new Executor(options);
  const stopped = Promise.withResolvers<void>();
  await first.execute(mutex, { id: "printer", input: newMutex });
  for (const id of ["a", "b", "c", "d"]) await first.execute(printJob, { id, input: 2 });
  clock.at(12_000, () => first.terminate("b")); // it holds the lock
  clock.at(13_000, () => first.cancel("c")); // it waits for the lock
  clock.setTimer(20_000, () => {
    clock.hold(); // no time passes while no executor runs
    first.close().then(stopped.resolve);
  });
  await stopped.promise;
  print(`--- the process dies after 20 s; another one recovers`);

  await using second = new Executor(options);
  await second.recover();
  const last = await second.handle("d");
  clock.release();
  await last.result();
  for (const line of printed) print(line);
}

if (import.meta.main) await story(console.log);
