import { assertEquals } from "@std/assert";
import type { WorkflowContext } from "@rockpool/workflow";
import { playEveryWay, playOnce } from "../support/scenes.ts";
type Ctx = WorkflowContext;

Deno.test("smoke", async () => {
  const t = performance.now();
  const played = await playEveryWay((world) => ({
    sent: [{ at: 30, signal: "go", payload: 1 }],
    async workflow(ctx: Ctx) {
      const race = await ctx.scope((ctx) => Promise.race([ctx.executeActivity(world.work("slow", { at: 100 })), ctx.sleep(10).then(() => "late")]));
      const n = await ctx.waitForSignal("go");
      return [race, n, ctx.now()];
    },
  }));
  console.log(played.outcome, played.log, played.appends, played.state.history.map((e) => e.type), performance.now() - t);
});
