/**
 * The signals of one run: buffered by name, given to subscribers in order of arrival.
 *
 * A signal waits for its reader here: in the buffer of its channel while nobody is subscribed, or in the `unread` queue of a
 * loop that is subscribed and busy.
 *
 * 1. Every subscriber gets every signal that arrives while it is subscribed.
 * 2. A signal that arrives while nobody is subscribed waits for the next subscriber.
 * 3. Signals that the last subscriber leaves unread go back into the buffer: none is lost between two loops.
 *
 * @module
 */

import type { SignalReceivedEvent } from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import { Fifo } from "../util/fifo.ts";
import { LazyMap } from "../util/lazy_map.ts";
import { handOut } from "../history/value.ts";

/** Decides whether a wait may begin. */
export interface SignalGate {
  /** The answer to a wait that begins now, if it is refused. */
  refusal(): Promise<never> | undefined;
  /** Whether a shield protects a wait that begins now. */
  readonly shielded: boolean;
}

class Waiter extends Deferred<IteratorResult<unknown, undefined>> {
  readonly shielded: boolean;

  constructor(shielded: boolean) {
    super();
    this.shielded = shielded;
  }
}

/** A signal, and its number in the order of arrival. */
interface Arrival {
  readonly event: SignalReceivedEvent;
  readonly order: number;
}

/** Gets the signals of a channel. */
interface Subscriber {
  /** The signals that it was given and has not read. */
  readonly unread: readonly Arrival[];
  /** Whether it waits for the next signal. */
  readonly waits: boolean;
  take(arrival: Arrival): void;
  cancel(reason: Error, shieldedToo: boolean): void;
}

interface Channel {
  /** Signals that nobody has read; empty while somebody is subscribed. */
  buffer: Fifo<Arrival>;
  readonly subscribers: LazyMap<Subscriber, true>;
}

const none: readonly never[] = [];

export class Signals {
  readonly #channels = new LazyMap<string, Channel>();
  readonly #gate: SignalGate;
  #arrived = 0;

  constructor(gate: SignalGate) {
    this.#gate = gate;
  }

  /** A signal has arrived. */
  deliver(event: SignalReceivedEvent): void {
    const { buffer, subscribers } = this.#channel(event.name);
    const arrival = { event, order: this.#arrived++ };
    if (subscribers.size === 0) buffer.push(arrival);
    for (const subscriber of subscribers.keys()) subscriber.take(arrival);
  }

  /** Signals that are buffered, or that at least one subscriber has not read, in order of arrival. */
  unread(): SignalReceivedEvent[] {
    const unread = new Set<Arrival>();
    for (const { buffer, subscribers } of this.#channels.values()) {
      for (const one of [buffer.toArray(), ...[...subscribers.keys()].map((subscriber) => subscriber.unread)]) {
        for (const arrival of one) unread.add(arrival);
      }
    }
    return [...unread].sort((a, b) => a.order - b.order).map(({ event }) => event);
  }

  /** The names of the signals that somebody waits for. */
  awaited(): string[] {
    return [...this.#channels.keys()].filter((name) =>
      [...this.#channels.get(name)!.subscribers.keys()].some(({ waits }) => waits)
    );
  }

  /** Whether a signal waits for its reader. */
  has(name: string): boolean {
    return (this.#channels.get(name)?.buffer.size ?? 0) > 0;
  }

  /** The payload of the next signal, for a reader that takes one signal only. */
  once(name: string): Promise<unknown> {
    const channel = this.#channel(name);
    if (channel.buffer.size > 0) return Promise.resolve(handOut(channel.buffer.shift().event.payload));
    return new Once(channel, this.#gate.shielded).promise;
  }

  subscribe(name: string): AsyncIterator<unknown, undefined> {
    return new Subscription(this.#channel(name), this.#gate);
  }

  /** Rejects every wait that a cancellation reaches: all, or those that began outside a shield. */
  cancel(reason: Error, shieldedToo: boolean): void {
    for (const { subscribers } of this.#channels.values()) {
      for (const subscriber of [...subscribers.keys()]) subscriber.cancel(reason, shieldedToo);
    }
  }

  #channel(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      this.#channels.set(name, channel = { buffer: new Fifo(), subscribers: new LazyMap() });
    }
    return channel;
  }
}

class Once extends Deferred implements Subscriber {
  readonly #channel: Channel;
  readonly #shielded: boolean;

  constructor(channel: Channel, shielded: boolean) {
    super();
    this.#channel = channel;
    this.#shielded = shielded;
    channel.subscribers.set(this, true);
  }

  get unread(): readonly Arrival[] {
    return none;
  }

  get waits(): boolean {
    return true;
  }

  take({ event }: Arrival): void {
    this.#channel.subscribers.delete(this);
    this.resolve(handOut(event.payload));
  }

  cancel(reason: Error, shieldedToo: boolean): void {
    if (this.#shielded && !shieldedToo) return;
    this.#channel.subscribers.delete(this);
    this.reject(reason);
  }
}

class Subscription implements AsyncIterator<unknown, undefined>, Subscriber {
  readonly #channel: Channel;
  readonly #gate: SignalGate;
  readonly #unread: Fifo<Arrival>;
  #waiters: Waiter[] = [];

  constructor(channel: Channel, gate: SignalGate) {
    this.#channel = channel;
    this.#gate = gate;
    this.#unread = channel.buffer;
    channel.buffer = new Fifo();
    channel.subscribers.set(this, true);
  }

  get unread(): readonly Arrival[] {
    return this.#unread.toArray();
  }

  get waits(): boolean {
    return this.#waiters.length > 0;
  }

  take(arrival: Arrival): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#unread.push(arrival);
    else waiter.resolve({ value: handOut(arrival.event.payload), done: false });
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#channel.subscribers.get(this) === undefined) {
      return Promise.resolve({ value: undefined, done: true });
    }
    const refusal = this.#gate.refusal();
    if (refusal !== undefined) {
      this.#stop();
      return refusal;
    }
    if (this.#unread.size > 0) {
      return Promise.resolve({ value: handOut(this.#unread.shift().event.payload), done: false });
    }
    const waiter = new Waiter(this.#gate.shielded);
    if (this.#waiters.length === 0) this.#waiters = [waiter]; // a push would reserve memory for 17
    else this.#waiters.push(waiter);
    return waiter.promise;
  }

  /** The end of a `for await` loop. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#stop();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ value: undefined, done: true });
    return Promise.resolve({ value: undefined, done: true });
  }

  cancel(reason: Error, shieldedToo: boolean): void {
    const reached = this.#waiters.filter((waiter) => shieldedToo || !waiter.shielded);
    if (reached.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !reached.includes(waiter));
    if (this.#waiters.length === 0) this.#stop(); // a rejected `next` ends its loop without a `return`
    for (const waiter of reached) waiter.reject(reason);
  }

  #stop(): void {
    const { subscribers } = this.#channel;
    if (subscribers.delete(this) && subscribers.size === 0) this.#channel.buffer = this.#unread;
  }
}
