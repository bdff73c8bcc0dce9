/**
 * Contexts of OpenTelemetry in headers: which context a message or a run belongs to.
 *
 * @module
 */

import type { CallHeaders } from "../types.ts";
import type { OtelApi, OtelContext, OtelSpanContext } from "./api.ts";

export class Carrier {
  readonly #api: OtelApi;

  constructor(api: OtelApi) {
    this.#api = api;
  }

  /** The context in headers; one in which nothing is active if they have none. */
  read(headers: CallHeaders): OtelContext {
    return this.#api.propagation.extract(this.#api.ROOT_CONTEXT, headers);
  }

  /** What identifies the span in headers; `undefined` if they have none. */
  spanOf(headers: CallHeaders): OtelSpanContext | undefined {
    return this.#api.trace.getSpanContext(this.read(headers));
  }

  /** The context of a call: that of its headers, or else the active one. */
  ofCall(headers: CallHeaders): OtelContext {
    const { context, trace } = this.#api;
    const given = this.read(headers);
    return trace.getSpanContext(given) === undefined ? context.active() : given;
  }

  /** The headers with a context in the place of the one that they have. */
  write(context: OtelContext, headers: CallHeaders): CallHeaders {
    const { propagation } = this.#api;
    const replaced = propagation.fields();
    const carrier = Object.fromEntries(Object.entries(headers).filter(([name]) => !replaced.includes(name)));
    propagation.inject(context, carrier);
    return carrier;
  }
}
