/**
 * `fork`: a second run of a workflow from a point of its history. What it repeats is said before an executor resumes it.
 *
 * @module
 */

import { type DroppedMessage, fork as forkRun } from "../history/fork.ts";
import type { InMemoryStore } from "../store.ts";
import { show } from "../util/show.ts";
import { writeOutput } from "./export.ts";
import { Failure, messageOf } from "./failure.ts";
import { type Flags, readNumber } from "./options.ts";
import type { Printer } from "./print.ts";
import { findRun, type Source } from "./runs.ts";

export async function fork(
  source: Source,
  [id, newId]: readonly string[],
  flags: Flags,
  printer: Printer,
): Promise<number> {
  const { kind, store } = source;
  if (kind !== "sqlite" && kind !== "snapshot") {
    throw new Failure(
      2,
      `Cannot fork a run of ${
        kind === "history" ? "a history file" : "an inspector"
      }: fork it in the SQLite file or the snapshot that it is from`,
    );
  }
  if (kind === "snapshot" && flags.output === undefined) {
    throw new Failure(2, "Cannot write to a snapshot: with -o NEW, a changed copy is written to NEW");
  }
  if (kind === "sqlite" && flags.output !== undefined) throw new Failure(2, "-o is for snapshots");
  if (flags.after === undefined) {
    throw new Failure(2, `"fork" needs --after N: after which event the new run goes its own way`);
  }
  const state = await findRun(source, id);
  const most = Math.max(1, state.history.length - 1);
  const after = readNumber("after", flags.after, 1, 1, most);
  if (await store!.load(newId) !== null) throw new Failure(1, `There is a workflow ${show(newId)} already`);
  const { children } = flags;
  if (children !== undefined && children !== "repeat" && children !== "cancel") {
    throw new Failure(2, `--children must be repeat or cancel, got ${show(children)}`);
  }
  let made: ReturnType<typeof forkRun>;
  try {
    made = forkRun(state, { after, id: newId, signals: flags["keep-signals"] ? "keep" : "drop", children });
    await store!.append(made.batch);
  } catch (error) {
    throw new Failure(1, messageOf(error));
  }
  if (kind === "snapshot") await writeOutput(flags.output!, await (store as InMemoryStore).snapshot(), source);
  const { repeats, drops } = made;
  const list = (names: readonly string[]) => names.length === 0 ? "nothing" : names.join(", ");
  printer.line(`Forked ${show(state.workflowId)} after event ${after} as ${show(newId)}`);
  printer.line(`it repeats: ${list(repeats)}`);
  printer.line(`messages that it does not get: ${list(drops.map(inWords))}`);
  printer.line("An executor that recovers, or works, resumes it");
  return 0;
}

function inWords(message: DroppedMessage): string {
  if (message.type === "cancel_requested") return "the cancellation";
  return `${message.type === "signal_received" ? "signal" : "update"} ${message.name}`;
}
