import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Executor, InMemoryStore } from "@rockpool/workflow";
import { inspector } from "@rockpool/workflow/inspector";

const get = (query = "") => new Request(`http://localhost/any/path${query}`);

Deno.test("inspector() lists runs and shows one when the store has some", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  await (await executor.execute(function order() {}, { id: "<b>order-1" })).result();
  const inspect = inspector({ store, executor });
  const list = await (await inspect(get())).text();
  assertStringIncludes(list, "&#60;b&#62;order-1");
  const link = /href="(\?id=[^"]+)"/.exec(list)![1];
  const page = await inspect(get(link));
  assertEquals([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  assertStringIncludes(await page.text(), "&#60;b&#62;order-1");
});

Deno.test("inspector() refuses options when they are unknown or of the wrong type", () => {
  const store = new InMemoryStore();
  const bad = (options: object) => () => inspector({ store, ...options } as never);
  assertThrows(bad({ stroe: 1 }), TypeError, `"options" has no option "stroe"; did you mean "store"?`);
  assertThrows(bad({ store: null }), TypeError, `"store" must be an object`);
  assertThrows(bad({ actions: true }), TypeError, `"executor" must be an Executor with "actions": true`);
  assertThrows(bad({ origin: "https://a.example/x" }), TypeError, `"origin" must be an origin`);
  assertThrows(bad({ hosts: "localhost" }), TypeError, `"hosts" must be an array`);
});
