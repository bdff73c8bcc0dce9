import { assertEquals } from "@std/assert";
import { Executor, InMemoryStore, VirtualClock } from "@rockpool/workflow";
import { crashTest } from "@rockpool/workflow/testing";
import { approval, approvalsOf, handle } from "./approval.ts";
import server from "./server.ts";
import worker from "./worker.ts";

type Fetch = (request: Request) => Promise<Response>;

/** Sends a request, and returns the status and the text of the answer. */
async function ask(fetch: Fetch, method: string, path: string, body: string | null = null): Promise<[number, string]> {
  const response = await fetch(new Request(`http://localhost${path}`, { method, body }));
  return [response.status, (await response.text()).trim()];
}

const yes = JSON.stringify({ approved: true, by: "Ada" });

for (const [name, fetch] of [["server.ts", server.fetch], ["worker.ts", worker.fetch]] as [string, Fetch][]) {
  Deno.test(`examples/edge/${name} approves by a second request`, async () => {
    assertEquals(await ask(fetch, "PUT", "/chair", "a chair"), [202, "chair is waiting"]);
    assertEquals(await ask(fetch, "PUT", "/chair", "a chair"), [202, "chair is waiting"]);
    assertEquals(await ask(fetch, "POST", "/chair/decision", yes), [200, "a chair: approved by Ada"]);
    const [status, text] = await ask(fetch, "GET", "/chair");
    assertEquals([status, JSON.parse(text).status], [200, "completed"]);
  });

  Deno.test(`examples/edge/${name} answers a bad request with a text that helps`, async () => {
    const use = "Use PUT /ID, GET /ID or POST /ID/decision";
    assertEquals(await ask(fetch, "GET", "/"), [404, use]);
    assertEquals(await ask(fetch, "DELETE", "/chair"), [405, use]);
    assertEquals(await ask(fetch, "PUT", "/desk?days=soon", "a desk"), [
      400,
      "Use ?days=N, a number above 0 and below 1000",
    ]);
    assertEquals(await ask(fetch, "POST", "/chair/decision", "{}"), [400, 'Send { "approved": true, "by": "…" }']);
    assertEquals(await ask(fetch, "GET", "/nobody"), [404, 'Cannot describe workflow "nobody": it does not exist']);
    assertEquals(await ask(fetch, "PUT", "/chair", "again"), [
      409,
      'Cannot execute workflow "chair": its status is "completed", and "reuse" is "reject"',
    ]);
  });
}

Deno.test("examples/edge/approval.ts refuses what nobody has decided in time", async () => {
  const clock = new VirtualClock();
  await using executor = new Executor({ store: new InMemoryStore(), clock });
  await ask((request) => handle(approvalsOf(executor), request), "PUT", "/chair?days=30", "a chair");
  assertEquals(await (await executor.handle("chair")).result(), "a chair: refused, nobody has decided");
  assertEquals(clock.now() / 86_400_000, 30);
});

Deno.test("examples/edge/approval.ts ends the same in a crash at every point", async () => {
  const signals = [{ atMs: 5, name: "decided", payload: { approved: false, by: "Ada" } }];
  const { undisturbed } = await crashTest(approval, { input: { what: "a chair", days: 7 }, signals });
  assertEquals(undisturbed.result, "a chair: refused by Ada");
});
