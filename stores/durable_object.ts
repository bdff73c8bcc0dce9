/**
 * Workflows in a Durable Object of Cloudflare: its own SQLite, its alarm, one object for each workflow or for a group of them.
 *
 * `workflowObject` makes the class of the object. `DurableObjectStore` is its store, for an object of your own. Nothing of
 * `cloudflare:workers` is imported here: the class `DurableObject` is an argument.
 *
 * 1. An object that is evicted resumes by the next call, or by its alarm. Timers, retries and deadlines are alarms: nothing polls.
 * 2. While work is in progress, an alarm is set: an activity that an eviction has interrupted runs again (at least once).
 * 3. Nothing leaves the object before what was stored before it is durable. The platform sees to that.
 * 4. A value may be of any size: one that is too large for a row is cut into pieces.
 *
 * @example
 * ```ts ignore
 * import { DurableObject } from "cloudflare:workers";
 * import type { WorkflowContext } from "@rockpool/workflow";
 * import { workflowObject } from "@rockpool/workflow/durable-object";
 *
 * const reminder = async (ctx: WorkflowContext, text: string) => {
 *   await ctx.sleep(30 * 24 * 60 * 60 * 1000); // the object leaves memory, and its alarm wakes it
 *   await ctx.executeActivity(send, text);
 * };
 *
 * export class Reminders extends workflowObject(DurableObject, { workflows: { reminder } }) {}
 *
 * export default {
 *   async fetch(request: Request, env: Env): Promise<Response> {
 *     const reminders = env.REMINDERS.getByName("ada");
 *     await reminders.start("reminder", { id: "birthday", input: "Write to Grace" });
 *     return new Response("I will remember\n");
 *   },
 * };
 * ```
 *
 * @module
 */

export {
  type ObjectClass,
  type StartedRun,
  type StartOptions,
  type WorkflowObject,
  workflowObject,
  type WorkflowObjectOptions,
} from "./durable_object/object.ts";
export type {
  ObjectAlarmStorage,
  ObjectCursor,
  ObjectSql,
  ObjectState,
  ObjectStorage,
} from "./durable_object/platform.ts";
export { DurableObjectStore, type DurableObjectStoreOptions } from "./durable_object/store.ts";
export type { PayloadCodec, PruneOptions } from "../storage/mod.ts";
