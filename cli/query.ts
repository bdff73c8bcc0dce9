/**
 * `query`: asks a handler of a run, as it is or as of an earlier event.
 *
 * @module
 */

import { encode } from "../history/codec.ts";
import { Executor } from "../executor.ts";
import { valueText } from "../inspector/value.ts";
import { codeOf } from "../errors.ts";
import { importWorkflows } from "./code.ts";
import { Failure, messageOf } from "./failure.ts";
import { type Flags, readValue } from "./options.ts";
import { type Printer, safeJson } from "./print.ts";
import { runAt } from "./show.ts";
import type { Source } from "./runs.ts";

export async function query(
  source: Source,
  [id, name, ...args]: readonly string[],
  flags: Flags,
  printer: Printer,
): Promise<number> {
  const workflows = await importWorkflows(flags.code, "query");
  const { state } = await runAt(source, id, flags);
  const executor = new Executor({ workflows });
  let answer: unknown;
  try {
    answer = await executor.queryState(state, name, ...args.map(readValue));
  } catch (error) {
    const way = codeOf(error) === "unknown_workflow"
      ? `${messageOf(error).replace(/; .*$/s, "")}; ${flags.code} exports ${Object.keys(workflows).join(", ")}`
      : messageOf(error);
    throw new Failure(1, way);
  } finally {
    await executor.close();
  }
  if (flags.json) printer.out(`${safeJson(encode(answer, "write the answer") ?? null)}\n`);
  else printer.text(valueText(answer));
  return 0;
}
