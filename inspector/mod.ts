/**
 * A page to look at workflows: a function from a request to a response, which mounts under any path of `Deno.serve`, Hono, a
 * Worker or Node. It reads the store, works without JavaScript and without a network, and changes nothing unless it is asked to.
 *
 * @example
 * ```ts
 * import { Executor, InMemoryStore } from "@rockpool/workflow";
 * import { inspector } from "@rockpool/workflow/inspector";
 * import { assertStringIncludes } from "@std/assert";
 *
 * const store = new InMemoryStore();
 * await using executor = new Executor({ store });
 * await (await executor.execute(() => "done", { id: "order-1" })).result();
 *
 * const inspect = inspector({ store, executor });
 * const page = await inspect(new Request("http://localhost/workflows")); // Deno.serve(inspect)
 * assertStringIncludes(await page.text(), "order-1");
 * ```
 *
 * @module
 */

export * from "./inspector.ts";
export type { InspectorAction, InspectorOptions, RedactedPlace } from "./settings.ts";
