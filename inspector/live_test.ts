import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { InMemoryStore, type StoreListener, type WorkflowStore } from "@rockpool/workflow";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { FakeTime } from "@std/testing/time";
import { INTERVAL_MS, MAX_STREAMS } from "./live.ts";

/** A store that counts its listeners, and reports what the test says. */
function storeOf(): { store: WorkflowStore; listeners: Set<StoreListener>; report: StoreListener } {
  const listeners = new Set<StoreListener>();
  const store = Object.assign(new InMemoryStore(), {
    subscribe(listener: StoreListener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });
  return { store, listeners, report: (id, length) => listeners.forEach((listener) => listener(id, length)) };
}

/** Reads a stream of changes. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  /** What has arrived, without the first line. */
  text = "";

  constructor(response: Response) {
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }
  /** Reads until there are no more parts, as long as the stream lasts. */
  async read(): Promise<void> {
    for (let part = await this.#reader.read(); !part.done; part = await this.#reader.read()) {
      this.text += part.value.replace("retry: 2000\n\n", "");
    }
  }
  get messages(): number {
    return this.text.split("data: changed\n\n").length - 1;
  }
  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

const events = (query = "events=1") => new Request(`http://localhost/?${query}`);

Deno.test("inspector() streams a message when something changes", async () => {
  const { store, listeners, report } = storeOf();
  const response = await inspector({ store })(events());
  assertEquals(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assertEquals(response.headers.get("cache-control"), "no-store, no-transform");
  using time = new FakeTime();
  const reader = new Reader(response);
  const reading = reader.read();
  await time.tickAsync(0);
  assertEquals([reader.messages, listeners.size], [0, 1]);
  report("a", 1);
  await time.tickAsync(0);
  assertEquals(reader.messages, 1);
  await reader.cancel();
  await reading;
});

Deno.test("inspector() streams changes of one run only when the page shows one", async () => {
  const { store, report } = storeOf();
  using time = new FakeTime();
  const reader = new Reader(await inspector({ store })(events("events=1&id=a")));
  const reading = reader.read();
  const counts = [];
  for (const id of ["b", "a", "b", null]) {
    report(id, 1);
    await time.tickAsync(INTERVAL_MS);
    counts.push(reader.messages);
  }
  assertEquals(counts, [0, 1, 1, 2]);
  await reader.cancel();
  await reading;
});

Deno.test("inspector() streams one message in an interval when 10,000 changes happen", async () => {
  const { store, report } = storeOf();
  using time = new FakeTime();
  const reader = new Reader(await inspector({ store })(events()));
  const reading = reader.read();
  for (let i = 0; i < 10; i++) {
    for (let change = 0; change < 1000; change++) report(`${change}`, 1);
    await time.tickAsync(INTERVAL_MS / 10);
  }
  assertEquals(reader.messages, 2); // the first one at once, and the last one at the end of the interval
  await time.tickAsync(INTERVAL_MS * 3);
  assertEquals(reader.messages, 2);
  await reader.cancel();
  await reading;
});

Deno.test("inspector() keeps one message when nobody reads the stream", async () => {
  const { store, report } = storeOf();
  using time = new FakeTime();
  const response = await inspector({ store })(events());
  for (let i = 0; i < 100; i++) {
    report("a", i);
    await time.tickAsync(INTERVAL_MS);
  }
  const reader = new Reader(response);
  const reading = reader.read();
  await time.tickAsync(INTERVAL_MS);
  assertEquals(reader.messages, 1);
  await reader.cancel();
  await reading;
});

Deno.test("inspector() writes a line when nothing has changed for a while, and ends the stream after ten minutes", async () => {
  const { store, listeners } = storeOf();
  using time = new FakeTime();
  const reader = new Reader(await inspector({ store })(events()));
  const reading = reader.read();
  for (let i = 0; i < 4; i++) await time.tickAsync(15_000);
  assertEquals(reader.text, ":\n\n".repeat(4));
  assertEquals(listeners.size, 1);
  for (let i = 0; i < 40; i++) await time.tickAsync(15_000);
  await reading;
  assertEquals(listeners.size, 0);
});

Deno.test("inspector() ends the stream after ten minutes when nobody reads it", async () => {
  const { store, listeners, report } = storeOf();
  using time = new FakeTime();
  const response = await inspector({ store })(events());
  report("a", 1);
  await time.tickAsync(620_000);
  assertEquals(listeners.size, 0);
  await response.body!.cancel();
});

Deno.test("inspector() leaves no subscription and no timer behind when 2,000 streams were closed", async () => {
  const { store, listeners } = storeOf();
  const inspect = inspector({ store });
  for (let i = 0; i < 2000; i++) {
    const response = await inspect(events());
    assertEquals(response.status, 200);
    await response.body!.cancel();
  }
  assertEquals(listeners.size, 0); // a timer would be seen by the test runner
});

Deno.test("inspector() answers 503 when too many streams are open", async () => {
  const { store, listeners } = storeOf();
  const inspect = inspector({ store });
  const responses = await Promise.all(Array.from({ length: MAX_STREAMS + 1 }, () => inspect(events())));
  assertEquals(responses.filter(({ status }) => status === 503).length, 1);
  for (const { body } of responses) await body!.cancel();
  assertEquals(listeners.size, 0);
  const { status, body } = await inspect(events());
  await body!.cancel();
  assertEquals(status, 200);
});

Deno.test("inspector() subscribes to nothing when a stream is asked for by HEAD, or the store reports no changes", async () => {
  const { store, listeners } = storeOf();
  const head = await inspector({ store })(new Request("http://localhost/?events=1", { method: "HEAD" }));
  assertEquals([head.status, head.body, listeners.size], [200, null, 0]);
  const { subscribe: _, ...silent } = { ...store, load: store.load.bind(store), list: store.list.bind(store) };
  const response = await inspector({ store: Object.assign(silent, { subscribe: undefined }) as never })(events());
  assertEquals(response.status, 404);
  assert((await response.text()).length > 0);
});

Deno.test("inspector() ends a stream and its timer when the store cannot end the subscription", async () => {
  const store = Object.assign(new InMemoryStore(), {
    subscribe: () => () => {
      throw new Error("The connection is lost");
    },
  });
  using time = new FakeTime();
  const inspect = inspector({ store });
  const left = await inspect(events());
  await left.body!.cancel().catch(() => {});
  const reader = new Reader(await inspect(events()));
  const reading = reader.read();
  for (let i = 0; i < 42; i++) await time.tickAsync(15_000); // the timer would throw, and end the process
  await reading;
});

const pageOf = async (options: Omit<InspectorOptions, "store">, subscribe: WorkflowStore["subscribe"]) => {
  const store = Object.assign(new InMemoryStore(), { subscribe });
  const handler = inspector({ store: store as WorkflowStore, ...options });
  const page = await (await handler(new Request("http://localhost/"))).text();
  return { page, stream: (await handler(events())).status };
};

Deno.test("inspector() says that nothing is live, and lets no page look for changes, when live is false", async () => {
  const { page, stream } = await pageOf({ live: false }, () => () => {});
  assertStringIncludes(page, "<i></i>not live</span>");
  assertEquals([/<body[^>]*>/.exec(page)![0], page.includes("data-live"), stream], ["<body>", false, 404]);
});

Deno.test("inspector() lets no page ask for a stream that a store without subscribe does not have", async () => {
  const { page, stream } = await pageOf({}, undefined);
  assertEquals([/<body[^>]*>/.exec(page)![0], stream], ["<body data-poll>", 404]);
});
