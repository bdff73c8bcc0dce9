/**
 * Measures the appends of a store.
 *
 * @module
 */

import { codeOf } from "../errors.ts";
import type { AppendBatch, WorkflowStore } from "../types.ts";
import type { Metrics } from "./metrics.ts";

/** An append that is stored has succeeded, also if it cannot be measured. */
function quietly(measure: () => void): void {
  try {
    measure();
  } catch {
    // there is nobody to tell
  }
}

/** The same store, whose appends are measured. */
export function measured<Store extends WorkflowStore>(store: Store, metrics: Metrics): Store {
  const append = async (batch: AppendBatch) => {
    const begin = performance.now();
    try {
      await store.append(batch);
    } catch (error) {
      if (codeOf(error) === "conflict") quietly(() => metrics.conflicts.add(1, {}));
      throw error;
    } finally {
      quietly(() => metrics.appendSeconds.record((performance.now() - begin) / 1000, {}));
    }
  };
  /** Methods use private fields, which the proxy does not have: each is called on the store itself. */
  const methods = new Map<unknown, unknown>();
  return new Proxy(store, {
    get(target, key) {
      if (key === "append") return append;
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== "function") return member;
      let method = methods.get(member);
      if (method === undefined) methods.set(member, method = member.bind(target));
      return method;
    },
  });
}
