/**
 * What several processes on one store guarantee, as cases for any store that processes share.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { seeded } from "@rockpool/workflow/testing";
import { Fleet, type Opening, type Process, ProcessGone, RemoteError } from "./processes.ts";
import { TempFolder } from "./temp_files.ts";

/** A case: `run` rejects if the store does not do what the name says. */
export interface ProcessCase {
  readonly name: string;
  run(store: Opening): Promise<void>;
}

/** Short, so that the cases are fast; long enough for a machine that is busy. */
const LEASE_MS = 800;

const cases: ProcessCase[] = [];

function processCase(name: string, leaseMs: number, run: (fleet: Fleet) => Promise<void>): void {
  cases.push({
    name,
    async run(store) {
      await using fleet = new Fleet(store, leaseMs);
      await run(fleet);
    },
  });
}

/** Calls of which some may fail because a process dies in between: it is asked again through another one, with the same ID. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const isGone = error instanceof ProcessGone || error instanceof RemoteError && error.code === "closed";
      if (!isGone) throw error;
    }
  }
}

processCase(
  "a run that is asleep when its process is killed wakes at its time in another one",
  LEASE_MS,
  async (fleet) => {
    const [a, b] = await Promise.all([fleet.worker("a"), fleet.worker("b")]);
    const begun = performance.timeOrigin + performance.now();
    await a.call("start", "asleep", "w", 2000);
    await fleet.until("it sleeps", () => a.log({ log: "stored", id: "w", length: 4 }).length > 0);
    await a.kill();
    const [before, after] = await b.call<string[]>("result", "w");
    assertEquals([before, after], ["a:0", "b:0"]);
    const [{ at }] = b.log({ log: "ran", step: "after" });
    assert(at >= begun + 2000, `it slept for ${at - begun} ms`);
    await fleet.check(1);
  },
);

processCase(
  "an activity whose process is killed runs again elsewhere, and what is recorded does not",
  LEASE_MS,
  async (fleet) => {
    const [a, b] = await Promise.all([fleet.worker("a"), fleet.worker("b")]);
    await a.call("start", "held", "w");
    await a.call("start", "steps", "recorded", { count: 5 });
    await fleet.until("it is in the middle", () => a.log({ log: "ran", step: "held" }).length > 0);
    await fleet.until("5 steps are stored", () => a.log({ log: "ran", id: "recorded", step: "4" }).length > 0);
    await fleet.poll(
      "all are stored",
      () => b.call<{ historyLength: number }>("describe", "recorded"),
      ({ historyLength }) => historyLength >= 11,
    );
    await a.kill();
    await fleet.until("it runs again", () => b.log({ log: "ran", step: "held" }).length > 0);
    await b.call("open");
    await b.call("signal", "recorded", "note", "end");
    assertEquals(await b.call("result", "w"), ["a:0", b.log({ step: "held" })[0].token]);
    assertEquals(
      (await b.call<{ steps: string[] }>("result", "recorded")).steps.every((token) => token.startsWith("a:")),
      true,
    );
    const fences = fleet.find({ log: "ran", step: "held" }).map(({ fence }) => fence!);
    assert(fences[0] < fences[1], `fences ${fences}`);
    await fleet.check(2);
  },
);

processCase(
  "a process that stands still for longer than its lease loses its runs, and goes on with others",
  LEASE_MS,
  async (fleet) => {
    const [a, b] = await Promise.all([fleet.worker("a"), fleet.start("b", { workflows: "all" })]);
    const ids = ["1", "2", "3", "4"];
    for (const id of ids) await a.call("start", "held", id);
    await fleet.until("all are in the middle", () => a.log({ log: "ran", step: "held" }).length === ids.length);
    // Nothing is in flight: what it stores before it stands still, it says before that.
    await fleet.until("all is stored", () => ids.every((id) => a.log({ log: "stored", id, length: 4 }).length > 0));
    const results = ids.map((id) => a.call("result", id));
    await a.pause(b);
    const opened = a.call("open"); // its activities end as soon as it comes back
    await fleet.poll(
      "b has all runs",
      async () => (await b.call("recover"), await b.call<string[]>("live")),
      (live) => live.length === ids.length,
    );
    await fleet.until("they run again", () => b.log({ log: "ran", step: "held" }).length === ids.length);
    const taken = performance.timeOrigin + performance.now();
    a.resume();
    await opened;
    await fleet.poll("a has none", () => a.call<string[]>("live"), (live) => live.length === 0);
    await a.call("start", "asleep", "another", 10);
    await a.call("result", "another");
    await b.call("open");
    // The handles of the process that lost the runs still get the results.
    for (const [i, id] of ids.entries()) {
      const token = b.log({ log: "ran", step: "held", id })[0].token;
      assertEquals(await results[i], [a.log({ log: "ran", step: "first", id })[0].token, token]);
    }
    assert(a.log({ log: "refused" }).length > 0, "the store has refused nothing");
    const late = a.log({ log: "stored" }).filter(({ id, at }) => at > taken && ids.includes(id!));
    assertEquals(late, []);
    await fleet.check(5);
  },
);

processCase("a process that stood still keeps its runs if nobody has claimed meanwhile", LEASE_MS, async (fleet) => {
  const [a, client] = await Promise.all([fleet.worker("a"), fleet.start("client")]);
  await a.call("start", "asleep", "w", LEASE_MS * 2);
  await fleet.until("it sleeps", () => a.log({ log: "stored", id: "w", length: 4 }).length > 0);
  await a.pause(client);
  await new Promise((resolve) => setTimeout(resolve, LEASE_MS * 2));
  a.resume();
  assertEquals(await client.call("result", "w"), ["a:0", "a:1"]);
  await fleet.check(1);
});

processCase(
  "a process that stands still just before a claim gives up its runs, although nothing of it is refused",
  LEASE_MS,
  async (fleet) => {
    await using folder = new TempFolder();
    const file = `${folder.path}/go on`;
    const [a, b] = await Promise.all([fleet.worker("a"), fleet.worker("b")]);
    await a.call("start", "held", "w");
    await fleet.until("it is in the middle", () => a.log({ log: "ran", step: "held" }).length > 0);
    await a.call("stall", file);
    await fleet.until("it runs again", () => b.log({ log: "ran", step: "held" }).length > 0);
    await Deno.writeTextFile(file, "");
    await fleet.poll("a has none", () => a.call<string[]>("live"), (live) => live.length === 0);
    await b.call("open");
    const [, token] = await a.call<string[]>("result", "w");
    assertEquals(token, b.log({ log: "ran", step: "held" })[0].token);
    await fleet.check(1);
  },
);

processCase(
  "a client without workflows signals, updates, queries, cancels and waits through the store",
  LEASE_MS,
  async (fleet) => {
    const [worker, client, reader] = await Promise.all([
      fleet.worker("worker"),
      fleet.start("client"),
      fleet.start("reader", { workflows: "all" }),
    ]);
    await worker.call("start", "counter", "w");
    await worker.call("start", "endless", "e");
    const result = client.call("result", "w");
    assertEquals(await client.call("update", "w", "add", 2), 2);
    // Updates that are sent at once come in any order.
    const add = (n: number) => client.call<number>("update", "w", "add", n, { updateId: `${n}` });
    const [three, four] = await Promise.all([add(3), add(4)]);
    assertEquals([three, four], three < four ? [5, 9] : [9, 6]);
    assertEquals(await add(4), four);
    const refused = await assertRejects(() => client.call("update", "w", "add", -1), RemoteError);
    assertEquals([refused.name, refused.message], ["RangeError", "Cannot add: want a positive number"]);
    // A query replays the history, and needs the code.
    assertEquals(await reader.call("query", "w", "total"), 9);
    const unknown = await assertRejects(() => client.call("query", "w", "total"), RemoteError);
    assertEquals(
      [unknown.code, unknown.message],
      [
        "unknown_workflow",
        'Cannot query workflow "w": no workflow is registered as "counter"; pass it to the executor in "workflows"',
      ],
    );
    await client.call("signal", "w", "end", null);
    assertEquals(await result, 9);
    await client.call("cancel", "e", "enough");
    const canceled = await assertRejects(() => client.call("result", "e"), RemoteError);
    assertEquals(canceled.name, "CanceledError");
    assertEquals(worker.log({ log: "ran", step: "cleanup" }).length, 1);
    assertEquals([await client.call("live"), await reader.call("live")], [[], []]);
    await fleet.check(2);
  },
);

processCase("a parent and its children end in different processes", LEASE_MS, async (fleet) => {
  const a = await fleet.worker("a");
  await a.call("start", "parent", "p", 2);
  await fleet.until("the children have begun", () => a.log({ log: "ran" }).length === 2);
  await fleet.poll(
    "all wait",
    () => a.call<{ historyLength: number }>("describe", "p/1"),
    ({ historyLength }) => historyLength >= 3,
  );
  const others = await Promise.all(
    ["b", "c", "d"].map((name) => fleet.worker(name, { work: { pollMs: 50, maxRuns: 1 } })),
  );
  await a.kill();
  const live = () => Promise.all(others.map((one) => one.call<string[]>("live")));
  const all = await fleet.poll("each has one", live, (all) => all.flat().length === 3);
  assertEquals([all.map(({ length }) => length), all.flat().sort()], [[1, 1, 1], ["p", "p/0", "p/1"]]);
  const [client] = others;
  for (const id of ["p/0", "p/1"]) await client.call("signal", id, "note", "end");
  const results = await client.call<{ steps: string[] }[]>("result", "p");
  assertEquals(results.map(({ steps }) => steps[0]).sort(), ["a:0", "a:1"]);
  await fleet.check(3);
});

processCase("a chain of runs moves between processes", LEASE_MS, async (fleet) => {
  const client = await fleet.start("client");
  const workers = await Promise.all(["1", "2"].map((name) => fleet.worker(name)));
  await workers[0].call("start", "chain", "w", { left: 1e9, steps: [] }); // until it is told: processes start slowly under load
  const result = client.call<string[]>("result", "w");
  for (let next = 3; next <= 6; next++) {
    const steps = fleet.find({ log: "ran" }).length;
    await fleet.until("the chain goes on", () => fleet.find({ log: "ran" }).length >= steps + 3);
    const [old] = workers.splice(0, 1);
    workers.push(await fleet.worker(`${next}`));
    if (next % 2) await old.kill();
    else await old.close();
  }
  await client.call("signal", "w", "end", null);
  const steps = await result;
  assertEquals(steps.length, new Set(steps).size);
  assert(new Set(steps.map((token) => token.split(":")[0])).size > 2, `${steps}`);
  await fleet.check(1);
});

processCase(
  "a deadline that passes while no process lives ends the workflow when one does",
  LEASE_MS,
  async (fleet) => {
    const a = await fleet.worker("a");
    await a.call("start", "endless", "w", null, { timeoutMs: 2000 }); // more than its process needs to die
    const deadline = performance.timeOrigin + performance.now() + 2000;
    await a.kill();
    while (performance.timeOrigin + performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const b = await fleet.worker("b");
    const error = await assertRejects(() => b.call("result", "w"), RemoteError);
    assertEquals([error.name, b.log({ log: "ran", step: "cleanup" }).length], ["TimeoutError", 1]);
    await fleet.check(1);
  },
);

/** Starts workflows and signals them, through whichever process lives, and checks that nothing was lost. */
class Load {
  readonly #fleet: Fleet;
  readonly #client: Process;
  readonly #pick: () => Process;
  readonly #notes = new Map<string, string[]>();
  readonly #sent: Promise<void>[] = [];
  readonly #adding: Promise<void>[] = [];
  count = 0;

  /** @param pick Returns a worker that may live. */
  constructor(fleet: Fleet, client: Process, pick: () => Process) {
    this.#fleet = fleet;
    this.#client = client;
    this.#pick = pick;
  }

  /** Starts some workflows, of each kind. Some of them wait for `finish()`. */
  add(count: number): Promise<void> {
    const added = this.#add(count);
    this.#adding.push(added);
    return added;
  }

  async #add(count: number): Promise<void> {
    const from = this.count;
    this.count += count;
    await Promise.all(Array.from({ length: count }, async (_, i) => {
      const id = `${from + i}`;
      const [workflow, input] = i % 4 === 0
        ? ["chain", { left: 2, steps: [] }]
        : i % 4 === 1
        ? ["asleep", 200]
        : ["steps", { count: 3 }];
      await insist(() => this.#pick().call("start", workflow, id, input, { onConflict: "join", reuse: "join" }));
      if (workflow !== "steps") return;
      this.#notes.set(id, []);
      this.note(id);
    }));
  }

  /** Signals a workflow. */
  note(id: string): void {
    const notes = this.#notes.get(id)!;
    const note = `note ${notes.length}`;
    notes.push(note);
    this.#sent.push(this.#client.call("signal", id, "note", note) as Promise<void>);
  }

  noteAll(): void {
    for (const id of this.#notes.keys()) this.note(id);
  }

  /** Lets everything end. */
  async finish(): Promise<void> {
    await Promise.all(this.#adding);
    await Promise.all(this.#sent);
    await Promise.all([...this.#notes.keys()].map((id) => this.#client.call("signal", id, "note", "end")));
    const ids = Array.from({ length: this.count }, (_, i) => `${i}`);
    const results = await Promise.all(ids.map((id) => this.#client.call<{ notes?: string[] }>("result", id)));
    for (const [i, { notes }] of results.entries()) {
      assertEquals([...notes ?? []].sort(), [...this.#notes.get(`${i}`) ?? []].sort(), `signals of ${i}`);
    }
    await this.#fleet.check(this.count);
  }
}

processCase("a rolling deployment under load runs every activity once, and loses no signal", 5000, async (fleet) => {
  const client = await fleet.start("client");
  let workers = await Promise.all(
    ["1", "2", "3"].map((name) => fleet.worker(`old ${name}`, { work: { pollMs: 100 } })),
  );
  let turn = 0;
  const load = new Load(fleet, client, () => workers[turn++ % workers.length]);
  await load.add(24);
  for (const name of ["1", "2", "3"]) {
    const next = await fleet.worker(`new ${name}`, { version: "2", work: { pollMs: 100 } });
    const [old, ...others] = workers;
    workers = [...others, next];
    const closed = old.close(5000);
    load.noteAll();
    await Promise.all([closed, load.add(12)]);
  }
  await load.finish();
  const ran = fleet.find({ log: "ran" });
  assertEquals(new Set(ran.map(({ id, runId, step }) => `${id} ${runId} ${step}`)).size, ran.length);
  assert(ran.some(({ step }) => step === "check"), "the newer code has run");
});

/** What happens to a process. */
type Harm = "kill" | "pause" | "close";

/**
 * Three workers under load. In each round, one of them is killed, stopped for longer than its lease, or closed, at a random moment,
 * and another one takes its place.
 */
export async function harmAtRandom(fleet: Fleet, seed: number, harms: readonly Harm[]): Promise<void> {
  const random = seeded(seed);
  const below = (n: number) => Math.floor(random() * n);
  const client = await fleet.start("client");
  const workers = await Promise.all(["1", "2", "3"].map((name) => fleet.worker(name)));
  const load = new Load(fleet, client, () => workers[below(workers.length)]);
  const paused: Process[] = [];
  for (let round = 0; round < 4; round++) {
    const after = fleet.find({ log: "ran" }).length + 1 + below(30);
    const added = load.add(12);
    load.noteAll();
    await fleet.until("some activities have run", () => fleet.find({ log: "ran" }).length >= after);
    const [victim] = workers.splice(below(workers.length), 1);
    const harm = harms[below(harms.length)];
    const harmed = harm === "kill" ? victim.kill() : harm === "close" ? victim.close(1000) : victim.pause(client);
    workers.push(await fleet.worker(`${4 + round}`));
    await harmed;
    for (const one of paused.splice(0)) one.resume();
    if (harm === "pause") paused.push(victim);
    else await added;
  }
  for (const one of paused) one.resume();
  await load.finish();
}

for (const seed of [1, 2, 3]) {
  processCase(
    `kill -9 at random under load loses nothing and repeats nothing recorded (seed ${seed})`,
    1000,
    (fleet) => harmAtRandom(fleet, seed, ["kill"]),
  );
}

processCase(
  "processes that are killed, stopped and closed at random under load lose nothing and repeat nothing recorded",
  1000,
  (fleet) => harmAtRandom(fleet, 4, ["kill", "pause", "close"]),
);

/** The cases, in order. */
export const processCases: readonly ProcessCase[] = cases;
