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

Deno.test("inspector() shows the list without what a store cannot say when it is an extra", async () => {
  const answers: readonly (() => unknown)[] = [() => undefined, () => NaN, () => Symbol("s"), () => {
    throw new Error("lost");
  }, () => Promise.reject(new Error("lost"))];
  for (const answer of answers) {
    const store = new InMemoryStore();
    await using executor = new Executor({ store });
    await (await executor.execute(function order() {}, { id: "order-1" })).result();
    const inspect = inspector({ store: Object.assign(store, { count: answer }) as never });
    for (const query of ["", "?q=order"]) {
      const page = await inspect(get(query));
      const html = await page.text();
      assertEquals(page.status, 200, html);
      assertStringIncludes(html, 'data-id="order-1"');
    }
  }
});

Deno.test("inspector() answers programs by 400 and JSON when they ask for what a store refuses", async () => {
  const inspect = inspector({ store: new InMemoryStore() });
  for (const query of ["?json&status=done", "?json&limit=-5", "?json&limit=1.5", "?json&cursor=x"]) {
    const response = await inspect(get(query));
    assertEquals([response.status, response.headers.get("content-type")], [400, "application/json; charset=utf-8"]);
    assertStringIncludes((await response.json()).error, "Cannot list workflows");
  }
});
