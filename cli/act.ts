/**
 * `signal`, `update`, `cancel`, `terminate`: messages to a run. An SQLite file gets them in its store, where the executor that runs the
 * workflow finds them. A snapshot or a history file is written to a new file.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { encode } from "../history/codec.ts";
import { Executor } from "../executor.ts";
import { valueText } from "../inspector/value.ts";
import type { InMemoryStore } from "../store.ts";
import type { WorkflowStore } from "../types.ts";
import { historyToText } from "../testing/history_text.ts";
import { show } from "../util/show.ts";
import { writeOutput } from "./export.ts";
import { Failure, messageOf } from "./failure.ts";
import { type Flags, readDuration, readValue } from "./options.ts";
import { type Printer, safeJson } from "./print.ts";
import { RemoteSource } from "./remote.ts";
import { findRun, type Source } from "./runs.ts";

/** The commands of this module. */
export type Action = "signal" | "update" | "cancel" | "terminate";

const DONE: Readonly<Record<Exclude<Action, "update">, string>> = {
  signal: "Signaled",
  cancel: "Asked to end",
  terminate: "Terminated",
};

export async function act(
  action: Action,
  source: Source,
  [id, name, value]: readonly string[],
  flags: Flags,
  printer: Printer,
): Promise<number> {
  const { kind, store } = source;
  const isCopy = kind === "snapshot" || kind === "history";
  if (isCopy && action === "update") {
    throw new Failure(2, `Cannot update a run in a ${kind}: no executor runs it, so nobody would answer`);
  }
  if (isCopy && flags.output === undefined) {
    throw new Failure(2, `Cannot write to a ${kind}: with -o NEW, a changed copy is written to NEW`);
  }
  if (!isCopy && flags.output !== undefined) throw new Failure(2, "-o is for snapshots and history files");
  const { workflowId } = await findRun(source, id);
  const answer = source instanceof RemoteSource
    ? await source.act(action, workflowId, remoteFields(action, name, value, flags))
    : await perform(action, store!, workflowId, name, value, flags);
  if (action === "update") {
    if (flags.json) printer.out(`${safeJson(encode(answer, "write the answer") ?? null)}\n`);
    else printer.text(valueText(answer));
    return 0;
  }
  if (isCopy) {
    const text = kind === "snapshot"
      ? await (store as InMemoryStore).snapshot()
      : historyToText((await store!.load(workflowId))!);
    await writeOutput(flags.output!, text, source);
  }
  printer.line(`${DONE[action]} ${show(workflowId)}`);
  return 0;
}

const ignore = () => {};
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

async function perform(
  action: Action,
  store: WorkflowStore,
  id: string,
  name: string,
  value: string | undefined,
  flags: Flags,
): Promise<unknown> {
  const messageId = flags["message-id"];
  const executor = new Executor({ store, logger: SILENT, onError: () => {} });
  try {
    switch (action) {
      case "signal":
        return await executor.signal(
          id,
          name,
          readValue(value),
          messageId === undefined ? {} : { signalId: messageId },
        );
      case "update":
        return await update(executor, id, name, value, flags);
      case "cancel":
      case "terminate":
        return await executor[action](id, flags.reason);
    }
  } catch (error) {
    throw new Failure(1, messageOf(error));
  } finally {
    await executor.close();
  }
}

async function update(
  executor: Executor,
  id: string,
  name: string,
  value: string | undefined,
  flags: Flags,
): Promise<unknown> {
  const messageId = flags["message-id"];
  const timeoutMs = readDuration("timeout", flags.timeout, 30_000);
  const late = new AbortController();
  const clear = systemClock.setTimer(systemClock.now() + timeoutMs, () => {
    const way = "is an executor running it? The update stays in its history, and is handled once one does";
    late.abort(new Error(`Workflow ${show(id)} has not answered within ${timeoutMs / 1000} s: ${way}`));
  });
  try {
    return await executor.update(id, name, readValue(value), {
      signal: late.signal,
      ...(messageId !== undefined && { updateId: messageId }),
    });
  } finally {
    clear();
  }
}

/** The fields of the form of the inspector. */
function remoteFields(action: Action, name: string, value: string | undefined, flags: Flags): Record<string, string> {
  if (action === "cancel" || action === "terminate") return flags.reason === undefined ? {} : { reason: flags.reason };
  if (flags["message-id"] !== undefined) throw new Failure(2, "--message-id is for SQLite files, not for an inspector");
  const payload = readValue(value);
  return { name, ...(payload !== undefined && { payload: JSON.stringify(payload) }) };
}
