/** Walks every callback of the test kit, and of the interface of Temporal, through the misbehaviours. Their tables are in `kit.ts` and `temporal.ts`. */

import { assert, assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { macrotasks } from "../support/executors.ts";
import { KIT } from "./kit.ts";
import { MISBEHAVIOURS } from "./misbehaviours.ts";
import { harmDuring, Outcome, shown } from "./outcome.ts";
import { TEMPORAL } from "./temporal.ts";

for (const [place, run] of [...Object.entries(KIT), ...Object.entries(TEMPORAL)]) {
  Deno.test(`harm: ${place} that misbehaves harms its caller at most`, async () => {
    const failures: string[] = [];
    for (const [name, misbehave] of Object.entries(MISBEHAVIOURS)) {
      if (!/^(throws|returns)/.test(name)) continue;
      let calls = 0;
      const bad = () => {
        calls++;
        return misbehave(undefined as never, () => undefined);
      };
      const harm = await harmDuring(async () => {
        using time = new FakeTime();
        const outcome = new Outcome(Promise.resolve().then(() => run(bad)));
        for (let i = 0; i < 2000 && !outcome.settled; i++) {
          await macrotasks(3);
          time.tick(100);
        }
        if (!outcome.settled) failures.push(`${name}: its caller waits for ever`);
      });
      if (harm.length > 0) failures.push(`${name}: unhandled ${harm.map(shown)}`);
      assert(calls > 0, "it was not called");
    }
    assertEquals(failures, []);
  });
}
