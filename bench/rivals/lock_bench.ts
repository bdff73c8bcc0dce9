/**
 * Is our lock faster than those of npm when it is free, when tasks contend, and when very many callers wait?
 *
 * Prints Markdown tables. Run it with `deno task bench` in this folder, not with `deno bench`. The floor of a table is the same
 * work without a lock.
 *
 * @module
 */

import { check, taskOf, type Way, ways } from "./_locks.ts";
import { type Contestant, loop, measure, printConditions } from "./_measure.ts";

const noop = async () => {};
const pause = async () => {
  await null;
};

console.log("## Locks\n");
printConditions([
  "read-write-mutexify",
  "locks",
  "rwlock",
  "async-rwlock",
  "async-mutex",
  "@henrygd/semaphore",
  "async-lock",
  "readwrite-lock",
  "@eight04/read-write-lock",
]);
for (const way of ways) await check(way);

const role = ({ ours }: Way) => ours ? "ours" as const : undefined;

// Uncontended: one operation after the other.

const OPERATIONS = 1_000;

/** How each form is used with no work, or with a body. */
const uses = [
  { form: "instant", title: "now or not at all, release", use: (code: string) => code },
  { form: "permit", title: "await a permit, release", use: (code: string) => code.replace("BODY; ", "") },
  {
    form: "callback",
    title: "await a callback that returns at once",
    use: (code: string) => `await ${code.replace("BODY", "() => i")}`,
  },
  {
    form: "callback",
    title: "await an async callback",
    use: (code: string) => `await ${code.replace("BODY", "noop")}`,
  },
];
for (const { form, title, use } of uses) {
  for (const kind of ["read", "write"] as const) {
    const contestants: Contestant[] = [
      { name: "await an async no-op", role: "floor", run: loop(OPERATIONS, { noop }, "await noop()") },
    ];
    for (const way of ways) {
      const code = way[kind];
      if (way.form !== form || !code) continue;
      contestants.push({
        name: way.name,
        role: role(way),
        run: loop(OPERATIONS, { lock: way.open(), noop }, use(code)),
      });
    }
    await measure({ title: `A free lock, to ${kind}: ${title}`, operations: OPERATIONS, contestants, rounds: 31 });
  }
}

// Contended: tasks that start together. Each has one `await` while it holds the lock.

const waiting = ways.filter(({ form }) => form !== "instant");

/** Starts a number of tasks. The given percentage of them writes, evenly spread. */
function tasks(count: number, writes: number, task: (write: boolean) => Promise<unknown>): () => Promise<unknown> {
  return () => {
    const all: Promise<unknown>[] = [];
    for (let i = 0; i < count; i++) all.push(task(i * writes % 100 < writes));
    return Promise.all(all);
  };
}

function contestants(count: number, writes: number, among: readonly Way[]): Contestant[] {
  return [
    { name: "no lock", role: "floor", run: tasks(count, writes, pause) },
    ...among.map((way) => ({
      name: `${way.name}, ${way.form}`,
      role: role(way),
      run: tasks(count, writes, taskOf(way, pause)),
    })),
  ];
}

for (const writes of [10, 50]) {
  await measure({
    title: `1,000 tasks at once, ${100 - writes}/${writes} reads to writes`,
    operations: 1_000,
    contestants: contestants(1_000, writes, waiting),
  });
}

// Very many waiters: the cost of one must not depend on their number.

for (const count of [10_000, 100_000]) {
  await measure({
    title: `${count.toLocaleString("en")} queued writers`,
    operations: count,
    rounds: 7,
    contestants: contestants(count, 100, waiting),
  });
}
