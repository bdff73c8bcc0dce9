/**
 * Brings signals, updates and queries to their handlers.
 *
 * 1. A signal that has arrived before its handler is set is handled in `setHandler`, before it returns. Signals are handled one after
 *    the other in the order of their arrival, but none waits for the end of another handler.
 * 2. The context knows one handler for each name; which function runs is looked up at the call. So a handler can be replaced and
 *    removed.
 * 3. Signals that have no handler stay unread: the context carries them into the next run of the chain.
 *
 * @module
 */

import type { ReceivedSignal, ReceivedUpdate } from "../context.ts";
import { cannot } from "../util/check.ts";
import { isStrayPromise, isThenable, quiet } from "../util/deferred.ts";
import { ApplicationFailure } from "./common/mod.ts";
import { toThrown } from "./common/convert.ts";
import { composeInterceptors } from "./common/interceptors.ts";
import { ContinueAsNew } from "./continue.ts";
import { HEADER, readHeaders } from "./headers.ts";
import type { QueryInput, SignalInput, UpdateInput } from "./interceptors.ts";
import { enter, type Frame, outside } from "./scope.ts";
import type { Run } from "./run.ts";

/** The name under which the handler of `setDefaultQueryHandler` answers: its first argument is the name of the query. */
export const DEFAULT_QUERY = "__temporal_default_query";
/** The name under which the handler of `setDefaultUpdateHandler` answers: its first argument is the name of the update. */
export const DEFAULT_UPDATE = "__temporal_default_update";

const rootFrames = /* @__PURE__ */ new WeakMap<Run, Frame>();

/** Handlers run in the scope of the workflow itself, wherever they are set. */
export function setRootFrame(frame: Frame): void {
  rootFrames.set(frame.run, frame);
}

// Signals

/** Handles the signals of a name: those that have arrived, now, and then those that arrive. */
export function listen(run: Run, name: string): void {
  const { loops } = run.handlers;
  for (let signal; (signal = outside(() => run.context.takeSignal(name))) !== undefined;) handleSignal(run, signal);
  if (loops.has(name)) return;
  const signals = outside(() => run.context.receiveSignal(name, { withSender: true })[Symbol.asyncIterator]());
  loops.set(name, () => {
    loops.delete(name);
    void signals.return!();
  });
  outside(() =>
    quiet((async () => {
      for (let next; !(next = await signals.next()).done;) handleSignal(run, next.value);
    })())
  );
}

/** Handles the signals that no loop reads. Returns a function that ends it. */
export function listenToOthers(run: Run): () => void {
  let stop!: () => void;
  outside(() =>
    run.context.spawn(async (context) => {
      context.handleOtherSignals((signal) => handleSignal(run, signal));
      await new Promise<void>((resolve) => run.openScopes.add(stop = resolve));
    })
  );
  return () => {
    run.openScopes.delete(stop);
    stop();
  };
}

function handleSignal(run: Run, { name, payload, headers }: ReceivedSignal): void {
  const entry = run.handlers.signals.get(name);
  const fallback = run.handlers.defaultSignal?.handler;
  const next = async ({ signalName, args }: SignalInput): Promise<void> => {
    const handler = run.handlers.signals.get(signalName)?.handler ??
      (run.handlers.defaultSignal ?? { handler: fallback }).handler?.bind(undefined, signalName);
    await handler?.(...args);
  };
  const call = { kind: "signal", name, unfinishedPolicy: entry?.unfinishedPolicy } as const;
  run.handlers.calls.add(call);
  const done = () => run.handlers.calls.delete(call);
  enter(rootFrames.get(run)!, () => {
    const handle = async () => {
      const input = { signalName: name, args: run.read(payload), headers: readHeaders(headers[HEADER]) };
      await composeInterceptors(run.inbound, "handleSignal", next)(input);
    };
    handle().then(done, (error) => {
      done();
      run.fail(error);
    });
  });
}

// Updates

/** Accepts updates of a name. `shown` is the name for messages. */
export function accept(run: Run, name: string, shown?: string): void {
  const { registered } = run.handlers;
  if (registered.has(`update ${name}`)) return;
  registered.add(`update ${name}`);
  const handle = (input: unknown, update: ReceivedUpdate) => handleUpdate(run, name, input, update);
  const validate = (input: unknown) => validateUpdate(run, name, shown, input);
  outside(() => run.context.handleUpdate(name, handle as never, { validate }));
}

function validateUpdate(run: Run, name: string, shown: string | undefined, input: unknown): void {
  const entry = run.handlers.updates.get(name);
  if (entry === undefined) throw ApplicationFailure.nonRetryable(`No registered handler for update: ${shown ?? input}`);
  const { validator } = entry;
  if (validator === undefined) return;
  const next = ({ args }: UpdateInput) => validator(...args);
  try {
    const given = { updateId: "", name, args: run.read(input), headers: {} };
    const answer: unknown = enter(
      rootFrames.get(run)!,
      () => composeInterceptors(run.inbound, "validateUpdate", next)(given),
    );
    // As in Temporal, which waits for no validator: the update is accepted.
    if (isStrayPromise(answer)) {
      outside(() => run.ctx.log.warn(`The validator of update "${name}" returned a promise: the update is accepted`));
    }
  } catch (error) {
    throw toThrown(error, run.host.converter.toStored);
  }
}

function handleUpdate(run: Run, name: string, input: unknown, update: ReceivedUpdate): Promise<unknown> {
  const frame = { ...rootFrames.get(run)!, update: { id: update.updateId, name: update.name } };
  const next = async ({ args }: UpdateInput): Promise<unknown> => {
    const entry = run.handlers.updates.get(name);
    if (entry === undefined) throw ApplicationFailure.nonRetryable(`No registered handler for update: ${update.name}`);
    return await entry.handler(...args);
  };
  const call = { kind: "update", name, unfinishedPolicy: run.handlers.updates.get(name)?.unfinishedPolicy } as const;
  run.handlers.calls.add(call);
  const { toStored } = run.host.converter;
  const done = () => run.handlers.calls.delete(call);
  const answer = enter(frame, async () => {
    const headers = readHeaders(update.headers[HEADER]);
    const updateInput = { updateId: update.updateId, name, args: run.read(input), headers };
    return await composeInterceptors(run.inbound, "handleUpdate", next)(updateInput);
  });
  answer.then(done, (error) => {
    done();
    if (ContinueAsNew.nextOf(error) !== undefined) run.fail(error);
  });
  return run.follow(answer, toStored, (error) => toThrown(error, toStored));
}

// Queries

/** Answers queries of a name. `shown` is the name for messages. */
export function answer(run: Run, name: string, shown?: string): void {
  const { registered } = run.handlers;
  if (registered.has(`query ${name}`)) return;
  registered.add(`query ${name}`);
  outside(() => run.context.handleQuery(name, (...args: unknown[]) => answerQuery(run, name, shown, args)));
}

function answerQuery(run: Run, name: string, shown: string | undefined, given: readonly unknown[]): unknown {
  let result: { readonly value: unknown } | undefined;
  const next = ({ queryName, args }: QueryInput): Promise<unknown> => {
    const { queries } = run.handlers;
    const handler = queries.get(queryName)?.handler ?? queries.get(DEFAULT_QUERY)?.handler.bind(undefined, queryName);
    if (handler === undefined) {
      const names = [...run.handlers.queries.keys()].join(" ");
      throw new ReferenceError(
        `Workflow did not register a handler for ${shown ?? args[0]}. Registered queries: [${names}]`,
      );
    }
    result = { value: handler(...args) };
    return Promise.resolve(result.value);
  };
  const input = { queryId: "", queryName: name, args: run.read(given), headers: {} };
  return enter(rootFrames.get(run)!, () => {
    const answered = composeInterceptors(run.inbound, "handleQuery", next)(input);
    if (isThenable(answered)) quiet(Promise.resolve(answered));
    if (result === undefined) {
      throw new TypeError(
        `${cannot("answer query", name)}: an interceptor did not call the next one before its first await`,
      );
    }
    if (isThenable(result.value)) {
      throw new TypeError(`${cannot("answer query", name)}: the handler returned a promise`);
    }
    return run.host.converter.toStored(result.value);
  });
}
