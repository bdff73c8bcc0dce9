import { assertEquals } from "@std/assert";
import { RestateServer } from "../../tools/restate/server.ts";
import { RestateClient } from "../../engines/restate.ts";
import { Journal, type Mode, modules, Worker } from "./workers.ts";
import { workflows } from "./engine_services.ts";

const services = new URL("engine_services.ts", import.meta.url);
for (const mode of ["bidirectional", "request-response"] as Mode[]) {
  Deno.test(`restateServices() (${mode}) runs`, async () => {
    using journal = new Journal();
    await using server = await RestateServer.start(modules);
    await using worker = await Worker.start(services, { mode, arg: journal.path });
    await server.registerDeployment(worker.url);
    const client = new RestateClient(server.ingressUrl, { workflows });
    try {
      let t = performance.now();
      const handle = await client.execute(workflows.steps, { id: "a", input: { count: 3 } });
      assertEquals(await handle.result(), ["0", "1", "2"]);
      console.log("steps", performance.now() - t);
      t = performance.now();
      const nap = await client.execute(workflows.naps, { id: "b", input: 200 });
      assertEquals(await nap.result(), "rested");
      console.log("naps", performance.now() - t);
      t = performance.now();
      const wait = await client.execute(workflows.approval, { id: "c" });
      assertEquals(await wait.query("state"), "waits");
      console.log("query", performance.now() - t);
      t = performance.now();
      assertEquals(await wait.update("add", 3), "waits+3");
      console.log("update", performance.now() - t);
      t = performance.now();
      await wait.signal("approve", "ann");
      assertEquals(await wait.result(), "ann");
      console.log("signal", performance.now() - t);
      t = performance.now();
      assertEquals(await wait.query("state"), "approved");
      t = performance.now();
      const go = async (name: keyof typeof workflows, id: string, input?: unknown) =>
        await (await client.execute(workflows[name] as any, { id, input } as any)).result().catch((
          e: any,
        ) => [e.name, e.code, e.message, e.cause?.name]);
      console.log("child", await go("parent", "p1", "result"));
      console.log(
        "leave",
        await go("parent", "p2", "leave"),
        await (await client.handle("p2-child")).result().catch((e) => e.message),
      );
      console.log("signal", await go("parent", "p3", "signal"));
      console.log(
        "scope",
        await go("parent", "p4", "scope"),
        await (await client.handle("p4-inner")).result().catch((e) => e.message),
      );
      console.log("retries", await go("retries", "r1"));
      console.log("fails", await go("fails", "f1"));
      if (mode === "bidirectional") console.log("saga", await go("saga", "s1"));
      console.log("random", await go("random", "x1"));
      console.log("races", await go("races", "y1", 20));
      console.log("refuses", await go("refuses", "z1"));
      const counting = await client.execute(workflows.counter, { id: "n1", input: 0 });
      const end = counting.result();
      await new Promise((r) => setTimeout(r, 300));
      await client.signal("n1", "line", "last");
      console.log("counter", await end);
      const sl = await client.execute(workflows.child, { id: "k1", input: 60_000 });
      await sl.cancel("because");
      console.log("cancel", await sl.result().catch((e) => [e.name, e.message, e.reason]));
      console.log(
        "again",
        await client.execute(workflows.child, { id: "k1", input: 1, reuse: "reject" }).catch((
          e,
        ) => [e.code, e.message]),
      );
      const re = await client.execute(workflows.child, { id: "k1", input: 1 });
      console.log("reused", await re.result(), await sl.result().catch((e) => e.message));
      console.log(
        "dead",
        await client.signal("k1", "x").catch((e) => e.message),
        await client.signal("nobody", "x").catch((e) => e.message),
      );
      console.log("state", (await client.load("r1"))!.history.map((e) => e.type));
      console.log("all", performance.now() - t);
      console.log(journal.lines().slice(5));
    } catch (e) {
      console.log(server.output, (worker as any).output);
      throw e;
    }
  });
}
