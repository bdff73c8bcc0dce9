/**
 * The ingress of a Restate server: requests to the handlers, again and again while the server cannot be reached.
 *
 * @module
 */

import { systemClock } from "../../clock.ts";
import { WorkflowError } from "../../errors.ts";
import { abortable } from "../../util/abortable.ts";
import { cannot, invalid, noOptions } from "../../util/check.ts";
import { Deferred } from "../../util/deferred.ts";
import { randomId } from "../../util/prng.ts";
import { show } from "../../util/show.ts";
import { pack, type Packed, type serviceNames, unpack } from "./wire.ts";

/** Where the server is, and how it is called. */
export interface IngressOptions {
  /** Without a slash at its end. */
  readonly url: string;
  readonly names: ReturnType<typeof serviceNames>;
  readonly headers: Readonly<Record<string, string>>;
  readonly retryForMs: number;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

export class Ingress {
  readonly #options: IngressOptions;

  constructor(options: IngressOptions) {
    this.#options = options;
  }

  /** Calls a handler, of the record by a workflow's ID or of a run by its ID. `asIs`: the request is JSON already. */
  call<In, Out>(
    service: "record" | "run",
    key: string,
    method: string,
    request: In,
    { asIs = false, signal }: { asIs?: boolean; signal?: AbortSignal | undefined } = noOptions,
  ): Promise<Out> {
    if (key === "." || key === ".." || !key.isWellFormed()) { // not possible in the path of a URL
      throw invalid("id", key, 'a well-formed text other than "." and ".."', `call Restate`);
    }
    const path = [this.#options.names[service], key, method].map(encodeURIComponent).join("/");
    const body = request === undefined ? undefined : JSON.stringify(asIs ? request : pack(request));
    const writes = method === "start" || method === "deliver";
    return this.#request("POST", path, body, writes ? randomId() : undefined, signal);
  }

  /** For how long a call is repeated, in milliseconds. */
  get retryForMs(): number {
    return this.#options.retryForMs;
  }

  /** Waits for the end of a run; `undefined` if its invocation was killed. */
  attach<Out>(runId: string, signal: AbortSignal | undefined): Promise<Out | undefined> {
    const path = ["restate", "workflow", this.#options.names.run, runId, "attach"].map(encodeURIComponent).join("/");
    return this.#request("GET", path, undefined, undefined, signal);
  }

  /** Makes a request, again and again while the server cannot be reached: Restate does the work of one idempotency key once. */
  async #request<Out>(
    method: string,
    path: string,
    body: string | undefined,
    key: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Out> {
    const { url, headers: all, retryForMs, fetch } = this.#options;
    const headers = {
      ...all,
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(key !== undefined && { "idempotency-key": key }),
    };
    const init = { method, headers, ...(body !== undefined && { body }), ...(signal !== undefined && { signal }) };
    let failingSince: number | undefined;
    for (let delayMs = 50;; delayMs = Math.min(2 * delayMs, 2_000)) {
      let failure: unknown;
      try {
        const response = await fetch(`${url}/${path}`, init);
        const text = await response.text();
        if (response.ok) return unpack(JSON.parse(text) as Packed<Out>);
        if (method === "GET" && response.status === 409) return undefined as Out; // the invocation was killed
        failure = new Error(`Restate answered ${response.status}: ${text}`);
        const mayCome = method === "GET" && response.status === 404; // a run that was sent off may not have arrived
        if (response.status < 500 && response.status !== 429 && !mayCome) {
          throw new WorkflowError("store_failed", refusedText(path, failure));
        }
      } catch (error) {
        if (error instanceof WorkflowError) throw error;
        signal?.throwIfAborted();
        failure = error;
      }
      const now = systemClock.now();
      failingSince ??= now;
      if (now + delayMs - failingSince > retryForMs) {
        throw new WorkflowError("store_failed", refusedText(path, failure), { cause: failure });
      }
      await pause(delayMs, signal);
    }
  }
}

/** Waits for a while; rejects with the reason of `signal` when that is aborted. */
export async function pause(ms: number, signal?: AbortSignal | undefined): Promise<void> {
  const waited = new Deferred<void>();
  const clear = systemClock.setTimer(systemClock.now() + ms, () => waited.resolve());
  try {
    await abortable(waited.promise, signal);
  } finally {
    clear();
  }
}

function refusedText(path: string, failure: unknown): string {
  const [service, key] = path.split("/").map(decodeURIComponent);
  return `${cannot("call Restate", `${service}/${key}`)}: ${(failure as Error | null)?.message ?? show(failure)}`;
}
