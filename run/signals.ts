/**
 * The signals of one run: buffered by name, given to their readers in order of arrival.
 *
 * A signal waits for its reader here: in the buffer of its channel while nobody waits, or in the `unread` queue of a loop that
 * is busy.
 *
 * 1. Every loop gets every signal that arrives while it is subscribed.
 * 2. Of the waits for one signal, one gets it: the newest. An older one may be the loser of a race, for which nobody waits.
 * 3. A signal that arrives while there is no loop and no wait is buffered for the next reader.
 * 4. Signals that the last loop leaves unread are given to its successors as if they arrived now: none is lost between two loops.
 * 5. A wait or a loop of a scope that has ended takes nothing.
 *
 * @module
 */

import type { SignalReceivedEvent } from "../types.ts";
import { Deferred } from "../util/deferred.ts";
import { Fifo } from "../util/fifo.ts";
import { type Few, has, members, withMember, withoutMember } from "../util/few.ts";
import { LazyMap } from "../util/lazy_map.ts";
import type { Open, Scope } from "./scope.ts";

/** Decides whether a wait may begin. */
export interface SignalGate {
  /** The answer to a wait of a scope that begins now, if it is refused. */
  refusal(scope: Scope): Promise<never> | undefined;
}

/** Makes of a signal what its reader gets. */
export type ReadSignal = (event: SignalReceivedEvent) => unknown;

/** A signal, and its number in the order of arrival. */
interface Arrival {
  readonly event: SignalReceivedEvent;
  readonly order: number;
  /** Whether a wait for one signal has got it: then no other one gets it from a loop that leaves it unread. */
  taken: boolean;
}

/** The signals of one name, and their readers. */
class Channel {
  /** Signals that nobody has read; empty while a loop is subscribed. */
  buffer: Fifo<Arrival> = new Fifo();
  loops: Few<Loop>;
  /** The newest wait for one signal. */
  newest: Once | undefined;
  readonly #channels: LazyMap<string, Channel>;
  readonly #name: string;

  /** @param channels Where it is kept while it has a reader or a signal. */
  constructor(channels: LazyMap<string, Channel>, name: string) {
    this.#channels = channels;
    this.#name = name;
  }

  /** A reader or a signal has left: a run can use any number of names. */
  release(): void {
    if (this.newest !== undefined || this.loops !== undefined || this.buffer.size > 0) return;
    if (this.#channels.get(this.#name) === this) this.#channels.delete(this.#name);
  }

  /** Gives a signal to its readers. Returns whether there is one. */
  give(arrival: Arrival): boolean {
    const { newest, loops } = this;
    if (loops !== undefined) { for (const loop of members(loops)) loop.take(arrival); }
    arrival.taken = newest !== undefined;
    newest?.take(arrival.event);
    return newest !== undefined || loops !== undefined;
  }

  /** Whether somebody waits for the next signal. */
  get awaited(): boolean {
    return this.newest !== undefined || [...members(this.loops)].some(({ waits }) => waits);
  }
}

export class Signals {
  readonly #channels = new LazyMap<string, Channel>();
  declare readonly gate: SignalGate;
  /** For the signals that nobody waits for when they arrive. */
  #others: Channel | undefined;
  #arrived = 0;

  constructor(gate: SignalGate) {
    this.gate = gate;
  }

  /** A signal has arrived. */
  deliver(event: SignalReceivedEvent): void {
    this.#deliver({ event, order: this.#arrived++, taken: false });
  }

  #deliver(arrival: Arrival): void {
    const { name } = arrival.event;
    if (this.#channels.get(name)?.give(arrival) || this.#others?.give(arrival)) return;
    this.#channel(name).buffer.push(arrival);
  }

  /** The last loop of a channel has left signals unread. */
  giveBack(unread: Fifo<Arrival>): void {
    for (const arrival of unread.toArray()) if (!arrival.taken) this.#deliver(arrival);
  }

  /** Signals that are buffered, or that at least one loop has not read, in order of arrival. */
  unread(): readonly SignalReceivedEvent[] {
    if (this.#channels.size === 0 && this.#others === undefined) return none;
    const unread = this.#buffered();
    for (const { loops } of this.#allChannels()) {
      for (const loop of members(loops)) addUnread(loop.unread, unread);
    }
    return inOrder(unread).map(({ event }) => event);
  }

  /** The signals that nobody has read and no loop has. */
  #buffered(): Arrival[] {
    const unread: Arrival[] = [];
    for (const { buffer } of this.#allChannels()) addUnread(buffer, unread);
    return unread;
  }

  #allChannels(): Iterable<Channel> {
    return this.#others === undefined ? this.#channels.values() : [...this.#channels.values(), this.#others];
  }

  /** The names of the signals that somebody waits for. */
  awaited(): string[] {
    return [...this.#channels.keys()].filter((name) => this.#channels.get(name)!.awaited);
  }

  /** The names of the signals that somebody reads. A loop that is busy reads, too. */
  read(): string[] {
    const isRead = ({ newest, loops }: Channel) => newest !== undefined || loops !== undefined;
    return [...this.#channels.keys()].filter((name) => isRead(this.#channels.get(name)!));
  }

  /** Whether there is a signal that nobody has read. */
  has(name: string): boolean {
    return (this.#channels.get(name)?.buffer.size ?? 0) > 0;
  }

  /** Takes the oldest signal that nobody has read, if there is one. */
  take(name: string): SignalReceivedEvent | undefined {
    if (!this.has(name)) return undefined;
    const channel = this.#channels.get(name)!;
    const { event } = channel.buffer.shift();
    channel.release();
    return event;
  }

  /** Waits for the next signal that arrives. */
  once(name: string, scope: Scope, read: ReadSignal): Once {
    return new Once(this.#channel(name), scope, read);
  }

  subscribe(name: string, scope: Scope, read: ReadSignal): AsyncIterator<unknown, undefined> {
    return new Loop(this.#channel(name), this, scope, read);
  }

  /** Subscribes to the signals that nobody else waits for when they arrive, and to those that nobody has read. */
  subscribeToOthers(scope: Scope, read: ReadSignal): AsyncIterator<unknown, undefined> {
    const others = this.#others ??= new Channel(this.#channels, "");
    if (scope.canceled === undefined) {
      for (const arrival of inOrder(this.#buffered())) others.buffer.push(arrival);
      for (const channel of this.#channels.values()) {
        channel.buffer.clear();
        channel.release();
      }
    }
    return new Loop(others, this, scope, read);
  }

  #channel(name: string): Channel {
    let channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, channel = new Channel(this.#channels, name));
    return channel;
  }
}

function addUnread(from: Fifo<Arrival>, unread: Arrival[]): void {
  if (from.size === 0) return; // most are: no array is made
  for (const arrival of from.toArray()) if (!arrival.taken) unread.push(arrival);
}

/** In the order of arrival, each once: several loops may not have read it. */
function inOrder(arrivals: Arrival[]): Arrival[] {
  return arrivals.sort((a, b) => a.order - b.order).filter((arrival, i) => arrival !== arrivals[i - 1]);
}

/** A wait for one signal. The waits of a channel are a list. */
class Once extends Deferred implements Open {
  readonly #channel: Channel;
  readonly #scope: Scope;
  readonly #read: ReadSignal;
  #older: Once | undefined;
  #newer: Once | undefined;

  constructor(channel: Channel, scope: Scope, read: ReadSignal) {
    super();
    this.#channel = channel;
    this.#scope = scope;
    this.#read = read;
    const older = this.#older = channel.newest;
    if (older !== undefined) older.#newer = this;
    channel.newest = this;
    scope.add(this);
  }

  take(event: SignalReceivedEvent): void {
    this.withdraw();
    this.resolve(this.#read(event));
  }

  cancel(reason: Error): void {
    this.withdraw();
    this.reject(reason);
  }

  /** It takes no signal from now on. */
  withdraw(): void {
    const older = this.#older;
    const newer = this.#newer;
    if (newer !== undefined) newer.#older = older;
    else if (this.#channel.newest === this) this.#channel.newest = older;
    if (older !== undefined) older.#newer = newer;
    this.#older = this.#newer = undefined;
    this.#channel.release();
    this.#scope.delete(this);
  }
}

const none: readonly never[] = [];

type Result = IteratorResult<unknown, undefined>;

const done: Result = { value: undefined, done: true };

/** A loop over signals. */
class Loop implements AsyncIterator<unknown, undefined>, Open {
  readonly #channel: Channel;
  readonly #signals: Signals;
  readonly #scope: Scope;
  readonly #read: ReadSignal;
  declare readonly unread: Fifo<Arrival>;
  #waiters: Deferred<Result>[] = [];
  /** Whether its scope was cancelled. */
  #canceled: boolean;

  constructor(channel: Channel, signals: Signals, scope: Scope, read: ReadSignal) {
    this.#channel = channel;
    this.#signals = signals;
    this.#scope = scope;
    this.#read = read;
    this.#canceled = scope.canceled !== undefined;
    this.unread = this.#canceled ? new Fifo() : channel.buffer;
    if (this.#canceled) {
      channel.release();
      return;
    }
    channel.buffer = new Fifo();
    channel.loops = withMember(channel.loops, this);
    scope.add(this);
  }

  get waits(): boolean {
    return this.#waiters.length > 0;
  }

  take(arrival: Arrival): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.unread.push(arrival);
    else waiter.resolve(this.#result(arrival));
  }

  #result({ event }: Arrival): Result {
    return { value: this.#read(event), done: false };
  }

  next(): Promise<Result> {
    if (!has(this.#channel.loops, this) && !this.#canceled) return Promise.resolve(done);
    const refusal = this.#signals.gate.refusal(this.#scope);
    if (refusal !== undefined) return refusal;
    if (this.unread.size > 0) return Promise.resolve(this.#result(this.unread.shift()));
    const waiter = new Deferred<Result>();
    if (this.#waiters.length === 0) this.#waiters = [waiter]; // a push would reserve memory for 17
    else this.#waiters.push(waiter);
    return waiter.promise;
  }

  /** The end of a `for await` loop. */
  return(): Promise<Result> {
    this.#stop();
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(done);
    return Promise.resolve(done);
  }

  cancel(reason: Error): void {
    this.#canceled = true;
    this.#stop();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(reason);
  }

  /** Ends the subscription, and gives back what is unread. */
  #stop(): void {
    const channel = this.#channel;
    if (!has(channel.loops, this)) return;
    channel.loops = withoutMember(channel.loops, this);
    this.#scope.delete(this);
    if (channel.loops === undefined) this.#signals.giveBack(this.unread);
    channel.release();
  }
}
