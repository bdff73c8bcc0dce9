/** The workflows of `examples/`, unchanged, on an executor and on a Restate server: callers see the same. */

import { assertEquals } from "@std/assert";
import { Executor, InMemoryStore } from "@rockpool/workflow";
import { RestateClient } from "@rockpool/workflow/restate";
import { RestateServer } from "../../tools/restate/server.ts";
import { prepare, workflows } from "./example_services.ts";
import { type Face, scenarios } from "./scenarios.ts";
import { type Mode, modules, Worker } from "./workers.ts";

/** Runs all scenarios at once. */
async function play(face: Face): Promise<Map<string, unknown>> {
  const results = await Promise.all(
    Object.entries(scenarios).map(async ([name, run]): Promise<[string, unknown]> => {
      try {
        return [name, await run(face)];
      } catch (error) {
        return [name, error];
      }
    }),
  );
  return new Map(results);
}

Deno.test("examples/ run unchanged on an executor and on Restate", async (t) => {
  await prepare();
  await using executor = new Executor({ store: new InMemoryStore(), workflows });
  const expected = play(executor as Face);
  await using server = await RestateServer.start(modules);
  for (const mode of ["bidirectional", "request-response"] as Mode[]) {
    await using worker = await Worker.start(new URL("example_services.ts", import.meta.url), { mode, arg: mode });
    await server.registerDeployment(worker.url);
    const actual = await play(new RestateClient(server.ingressUrl, { workflows, name: mode }) as unknown as Face);
    for (const name of Object.keys(scenarios)) {
      await t.step(`${name} (${mode})`, async () => assertEquals(actual.get(name), (await expected).get(name)));
    }
  }
});
