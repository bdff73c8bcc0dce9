/**
 * Tells a page that what it shows has changed, by server-sent events.
 *
 * 1. A message says that something has changed, and not what. The page loads itself again.
 * 2. Changes are coalesced: whatever the rate of changes is, a stream has at most one message in {@linkcode INTERVAL_MS}, and none
 *    more than its reader has taken.
 * 3. A stream holds a subscription and a timer. Both end when the stream is cancelled, which a server does when the browser goes
 *    away. `Request.signal` says nothing about that: some servers abort it when the answer is complete.
 * 4. A stream ends after {@linkcode LIFE_MS}. Its page connects again, so that `authorize` is asked again.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import type { Settings } from "./settings.ts";

/** The shortest time between two messages. */
export const INTERVAL_MS = 400;

/** The longest time without a message: proxies close a connection in which nothing happens. */
const QUIET_MS = 15_000;

/** How long a stream lasts. */
const LIFE_MS = 600_000;

/** How many streams a process has at most. */
export const MAX_STREAMS = 1000;

/** How many streams this process has: an inspector may be made for each request. */
let streams = 0;

/**
 * The answer to `?events=1`, with `id` if the page shows one run: an event stream with a message for each change. If the store
 * reports no changes, the answer is 404, and the page does not ask for it.
 */
export function liveResponse(request: Request, settings: Settings, id: string | undefined): Response {
  const { store, live } = settings;
  if (!live || store.subscribe === undefined) return new Response("The store reports no changes", { status: 404 });
  const headers = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
  };
  if (request.method === "HEAD") return new Response(null, { headers });
  if (streams >= MAX_STREAMS) {
    return new Response("Too many open pages", { status: 503, headers: { "retry-after": "10" } });
  }
  return new Response(new ReadableStream(new Changes(settings, id), { highWaterMark: 1 }), { headers });
}

/** The source of one stream. */
class Changes implements UnderlyingDefaultSource<Uint8Array<ArrayBuffer>> {
  readonly #settings: Settings;
  readonly #id: string | undefined;
  readonly #endsAt: number = systemClock.now() + LIFE_MS;
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  #unsubscribe: (() => void) | undefined;
  #clearTimer: (() => void) | undefined;
  #changed = false;
  /** Before that time no message is sent. */
  #nextAt = 0;

  constructor(settings: Settings, id: string | undefined) {
    this.#settings = settings;
    this.#id = id;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void {
    this.#controller = controller;
    const { store } = this.#settings;
    this.#unsubscribe = store.subscribe!((workflowId) => {
      if (this.#changed || this.#id !== undefined && workflowId !== null && workflowId !== this.#id) return;
      this.#changed = true;
      this.#send();
    });
    streams++;
    this.#write("retry: 2000\n\n");
  }

  /** The reader has taken the last message. */
  pull(): void {
    if (this.#changed) this.#send();
  }

  cancel(): void {
    const unsubscribe = this.#unsubscribe;
    if (unsubscribe === undefined) return;
    this.#unsubscribe = undefined;
    this.#clearTimer?.();
    streams--;
    unsubscribe(); // it may throw
  }

  /** Sends a message if there is a change to report, now or when it is time. */
  #send(): void {
    if (this.#controller.desiredSize! <= 0) return; // `pull` is called later
    const now = systemClock.now();
    if (now < this.#nextAt) return this.#wake(this.#nextAt);
    this.#changed = false;
    this.#nextAt = now + INTERVAL_MS;
    this.#write("data: changed\n\n");
  }

  #write(text: string): void {
    this.#controller.enqueue(new TextEncoder().encode(text));
    this.#wake(systemClock.now() + QUIET_MS);
  }

  #wake(at: number): void {
    this.#clearTimer?.();
    this.#clearTimer = systemClock.setTimer(at, () => {
      const now = systemClock.now();
      if (now >= this.#endsAt) {
        try {
          this.cancel();
        } catch {
          // A store that cannot end a subscription has said so to nobody: a timer must not throw.
        }
        this.#controller.close();
      } else if (this.#controller.desiredSize! <= 0) this.#wake(now + QUIET_MS);
      else if (this.#changed) this.#send();
      else this.#write(":\n\n");
    });
  }
}
