/**
 * The lock compared with a model, in random interleavings.
 *
 * The model is a list of calls in the order in which they came. A call that ends is reported to the model just before the lock
 * learns it, so after every step the lock and the model must agree. The same seed gives the same steps. A failure names the
 * seed and the step.
 *
 * @module
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { RWLock } from "../lock.ts";
import { seeded } from "@rockpool/workflow/testing";

const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34];
const STEPS = 25_000;

/** A call of the lock. It is `"admitted"` by the lock, and `"inside"` once the caller knows it. */
interface Call {
  readonly id: number;
  readonly write: boolean;
  readonly hasBody: boolean;
  readonly signal: AbortSignal | undefined;
  state: "waits" | "admitted" | "inside" | "left" | "aborted";
}

/** The simplest form of the lock. */
class Model {
  readonly queue: Call[] = [];
  readonly inside = new Set<Call>();

  get readers(): number {
    return [...this.inside].filter((call) => !call.write).length;
  }

  get writing(): boolean {
    return [...this.inside].some((call) => call.write);
  }

  isOpen(write: boolean): boolean {
    return this.queue.length === 0 && (write ? this.inside.size === 0 : !this.writing);
  }

  come(call: Call): void {
    this.queue.push(call);
    this.#admit();
  }

  notice(call: Call): void {
    if (call.state === "waits") this.dropDoomed();
    assertEquals(call.state, "admitted", `call ${call.id} is inside`);
    assert(!call.hasBody || !call.signal?.aborted, `call ${call.id} started after its abort`);
    for (const other of this.inside) {
      const conflict = other.state === "inside" && (other.write || call.write);
      assert(!conflict, `call ${call.id} is inside together with call ${other.id}`);
    }
    call.state = "inside";
  }

  leave(call: Call, state: "left" | "aborted" = "left"): void {
    assert(this.inside.delete(call), `call ${call.id} left twice`);
    call.state = state;
    this.#admit();
  }

  abort(signal: AbortSignal): number {
    const aborted = this.queue.filter((call) => call.signal === signal);
    for (const call of aborted) {
      this.queue.splice(this.queue.indexOf(call), 1);
      call.state = "aborted";
    }
    this.#admit();
    return aborted.length;
  }

  /** Calls that were aborted between admission and start. They leave a microtask later, and nothing shows it. */
  get doomed(): Call[] {
    return [...this.inside].filter((call) => call.state === "admitted" && call.hasBody && call.signal?.aborted);
  }

  /** Called once it is certain that these calls have left. */
  dropDoomed(doomed: Call[] = this.doomed): void {
    for (const call of doomed) if (call.state === "admitted") this.leave(call, "aborted");
  }

  #admit(): void {
    for (let call = this.queue[0]; call !== undefined; call = this.queue[0]) {
      if (call.write ? this.inside.size > 0 : this.writing) return;
      this.queue.shift();
      this.inside.add(call);
      call.state = "admitted";
    }
  }
}

/** Random integers from 0 to below `end`. */
function generator(seed: number): (end: number) => number {
  const random = seeded(seed);
  return (end) => Math.floor(random() * end);
}

async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

/** One lock and the random steps on it. */
class Run {
  readonly lock = new RWLock();
  readonly model = new Model();
  /** How often each kind of step was done, to check that all were. */
  readonly done = new Map<string, number>();
  /** Each ends one hold of the lock. */
  readonly #stays: (() => void)[] = [];
  /** Each releases a permit that is already released. */
  readonly #again: (() => void)[] = [];
  readonly #controllers: AbortController[] = [];
  readonly #random: (end: number) => number;
  /** The first failed check of a body or a reaction. Thrown there, it would count as a failure of the body. */
  #failure: unknown;
  /** How many calls may wait before more calls end than begin. */
  #crowd = 0;
  #calls = 0;
  #pending = 0;
  #depth = 0;

  constructor(seed: number) {
    this.#random = generator(seed);
  }

  async step(): Promise<void> {
    if (this.#random(200) === 0) this.#crowd = this.#random(30);
    this.#act();
    await ticks(this.#random(4));
    for (let { doomed } = this.model; doomed.length > 0; { doomed } = this.model) {
      await ticks(20);
      this.model.dropDoomed(doomed);
    }
    this.#check();
  }

  /** Ends all holds, and checks that none is left. */
  async finish(): Promise<void> {
    for (let i = 0; i < 1000 && (this.#pending > 0 || this.#stays.length > 0); i++) {
      for (const end of this.#stays.splice(0)) end();
      await ticks(20);
      this.model.dropDoomed();
      this.#check();
    }
    assertEquals([this.#pending, this.model.inside.size, this.model.queue.length], [0, 0, 0]);
    for (const again of this.#again) again();
    this.#check();
    assert(this.lock.tryAcquireWrite() !== null);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    const { lock, model } = this;
    assertEquals(
      [lock.readers, lock.writing, lock.waiting],
      [model.readers, model.writing, model.queue.length],
    );
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #count(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }

  #act(): void {
    const choice = this.#random(this.lock.waiting > this.#crowd ? 200 : 100);
    if (choice < 30) this.#run();
    else if (choice < 45) this.#acquire();
    else if (choice < 55) this.#tryAcquire();
    else if (choice < 65) this.#abort();
    else if (choice < 70) this.#releaseAgain();
    else this.#take(this.#stays)?.();
  }

  #take<T>(from: T[]): T | undefined {
    return from.splice(this.#random(from.length), 1)[0];
  }

  /** A new call with a signal of its own, a shared signal, or none. */
  #come(hasBody: boolean): Call {
    let signal: AbortSignal | undefined;
    if (this.#random(3) > 0) {
      const i = this.#random(3) > 0 ? this.#controllers.length : this.#random(this.#controllers.length);
      signal = (this.#controllers[i] ??= new AbortController()).signal;
    }
    const write = this.#random(10) < 4;
    const call: Call = { id: this.#calls++, write, hasBody, signal, state: "waits" };
    if (signal?.aborted) {
      this.#count("call after abort");
      call.state = "aborted";
    } else this.model.come(call);
    return call;
  }

  #run(): void {
    const call = this.#come(true);
    const fails = this.#random(4) === 0;
    const way = ["returns", "runs on", "stays", "gives a thenable"][this.#random(4)];
    const leave = () => this.#guard(() => this.model.leave(call));
    const end = () => {
      if (fails) throw call;
      return call;
    };
    const body = () => {
      this.#guard(() => this.model.notice(call));
      if (this.#depth === 0 && this.#random(8) === 0) {
        this.#count("act in a body");
        this.#depth++;
        this.#act();
        this.#depth--;
      }
      this.#count(`body ${way}${fails ? " and fails" : ""}`);
      if (way === "returns") {
        leave();
        return end();
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      if (way === "runs on") resolve(ticks(this.#random(4)));
      else this.#stays.push(resolve);
      const ended = promise.then(end);
      if (way !== "gives a thenable") {
        ended.then(leave, leave); // called before the reaction of the lock, which is added later
        return ended;
      }
      return {
        then(resolve: (value: Call) => void, reject: (reason: unknown) => void) {
          ended.then(
            (value) => (queueMicrotask(leave), resolve(value)),
            (reason) => (queueMicrotask(leave), reject(reason)),
          );
        },
      } as PromiseLike<Call>;
    };
    const { signal } = call;
    const result = this.lock[call.write ? "write" : "read"](body, signal && { signal });
    this.#expect(call, result, (value) => {
      assertEquals([call.state, fails], ["left", false]);
      assertStrictEquals(value, call);
    }, (reason) => {
      assertEquals([call.state, fails], ["left", true]);
      assertStrictEquals(reason, call);
    });
  }

  #acquire(): void {
    const call = this.#come(false);
    const { signal } = call;
    const permit = this.lock[call.write ? "acquireWrite" : "acquireRead"](signal && { signal });
    this.#expect(call, permit, (permit) => {
      this.#count("permit");
      this.model.notice(call);
      this.#hold(call, permit);
    }, (reason) => {
      throw reason;
    });
  }

  #tryAcquire(): void {
    if (this.model.doomed.length > 0) return; // the model does not know whether they have left yet
    const write = this.#random(2) === 0;
    const permit = this.lock[write ? "tryAcquireWrite" : "tryAcquireRead"]();
    this.#guard(() => assertEquals(permit !== null, this.model.isOpen(write), "try"));
    this.#count(permit === null ? "try in vain" : "try");
    if (permit === null) return;
    const call: Call = {
      id: this.#calls++,
      write,
      hasBody: false,
      signal: undefined,
      state: "waits",
    };
    this.model.come(call);
    this.#guard(() => this.model.notice(call));
    this.#hold(call, permit);
  }

  #hold(call: Call, permit: { release(): void } & Disposable): void {
    this.#stays.push(() => {
      this.model.leave(call);
      permit.release();
      this.#again.push(() => this.#random(2) ? permit.release() : permit[Symbol.dispose]());
    });
  }

  #releaseAgain(): void {
    if (this.#again.length === 0) return;
    this.#count("release again");
    this.#again[this.#random(this.#again.length)]();
  }

  /** Aborts the signal of a call that is about to start, of a waiting call, or any other. */
  #abort(): void {
    const { inside, queue } = this.model;
    const target = [...inside].find((call) => call.signal && call.state === "admitted") ??
      queue[this.#random(queue.length * 2)];
    const controller = target
      ? this.#controllers.find(({ signal }) => signal === target.signal)
      : this.#controllers[this.#random(this.#controllers.length)];
    if (controller === undefined || controller.signal.aborted) return;
    const { signal } = controller;
    if ([...inside].some((call) => call.signal === signal)) this.#count("abort after admission");
    this.#count(this.model.abort(signal) > 0 ? "abort" : "abort in vain");
    controller.abort({ signal }); // a unique reason
    if (this.model.doomed.length > 0) this.#count("abort before start");
  }

  /** Checks the result: the reason if the call was aborted, else as given. */
  #expect<T>(
    call: Call,
    result: Promise<T>,
    resolved: (value: T) => void,
    rejected: (reason: unknown) => void,
  ): void {
    this.#pending++;
    result.then(
      (value) => this.#guard(() => resolved(value)),
      (reason) =>
        this.#guard(() => {
          if (call.signal?.aborted && reason === call.signal.reason) {
            if (call.state === "admitted") this.model.dropDoomed();
            assertEquals(call.state, "aborted");
          } else rejected(reason);
        }),
    ).then(() => this.#pending--);
  }
}

Deno.test("RWLock behaves as its model in 200,000 random steps", async () => {
  const done = new Map<string, number>();
  for (const seed of SEEDS) {
    const run = new Run(seed);
    let step = 0;
    try {
      for (; step < STEPS; step++) await run.step();
      await run.finish();
    } catch (error) {
      throw new Error(`seed ${seed}, step ${step}: ${(error as Error)?.message}`, { cause: error });
    }
    for (const [what, count] of run.done) done.set(what, (done.get(what) ?? 0) + count);
  }
  assertEquals(done.size, 18, "kinds of steps");
  for (const [what, count] of done) assert(count > 300, `${what}: only ${count} times`);
});
