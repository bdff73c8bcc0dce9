/**
 * What Restate's SDK hands to a run, without a server: an invocation that is not replayed, and that gets no messages.
 *
 * @module
 */

import { type RestateSdk, restateServices, type RestateServicesOptions } from "@rockpool/workflow/restate";
import type { RestatePromise } from "../../engines/restate/sdk.ts";
import { pack } from "../../engines/restate/wire.ts";

/** A promise of Restate. */
function promise<T>(native: Promise<T>) {
  return {
    then: native.then.bind(native),
    map: (mapper: (value?: T, failure?: Error) => unknown): unknown =>
      promise(native.then((value) => mapper(value), (error) => mapper(undefined, error))),
  };
}
/** A promise of Restate, and what resolves it. */
export function promiseOf<T>(): { readonly promise: RestatePromise<T>; resolve(value: T): void } {
  const { promise: native, resolve } = Promise.withResolvers<T>();
  return { promise: promise(native) as unknown as RestatePromise<T>, resolve };
}
const never = () => promise(new Promise<never>(() => {}));
const done = () => promise(Promise.resolve());

export const fakeSdk: RestateSdk = {
  object: (definition) => definition,
  workflow: (definition) => definition,
  handlers: {
    object: { shared: (handler) => handler, exclusive: (_, handler) => handler },
    workflow: { workflow: (_, handler) => handler },
  },
  TerminalError: Error,
  RestatePromise: { race: (promises) => Promise.race(promises), all: (promises) => Promise.all(promises) },
  serde: { json: { serialize: () => new Uint8Array(), deserialize: () => {} } },
};

/**
 * The invocation of one run, of the workflow "harmed". Its logger fails.
 *
 * @param attempt Is aborted when Restate gives this attempt of the invocation up.
 */
export async function invokeRun(
  options: RestateServicesOptions,
  attempt: AbortSignal = new AbortController().signal,
): Promise<unknown> {
  const [, service] = restateServices(fakeSdk, options) as [unknown, { handlers: Record<string, Handler> }];
  const fail = () => {
    throw new Error("bad logger");
  };
  const context = {
    ...{ key: "run", rand: { uuidv4: () => "id" }, console: { debug: fail, info: fail, warn: fail, error: fail } },
    ...{ signal: never, cancellation: never, sleep: never, set() {}, get: () => Promise.resolve(null) },
    ...{ request: () => ({ attemptCompletedSignal: attempt }) },
    run: (_: string, action: () => Promise<unknown>) => promise(action()),
    promise: () => ({ get: never, resolve: done }),
    genericCall: () => promise(Promise.resolve(pack(0))), // the record has sent no message
  };
  const events = [{ type: "workflow_started", at: 0, workflowName: "harmed", input: 1 }];
  return await service.handlers.run(context, pack({ workflowId: "harmed", events, at: 0 }));
}

type Handler = (context: unknown, request: unknown) => Promise<unknown>;
