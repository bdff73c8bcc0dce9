/** The pages of the inspector as texts: what each shows, and what none shows. The browser: `tests/inspector/`. */

import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import {
  Executor,
  InMemoryStore,
  type WorkflowContext,
  type WorkflowEvent,
  type WorkflowFilter,
  type WorkflowStore,
} from "@rockpool/workflow";
import { inspector, type InspectorOptions, type RedactedPlace } from "@rockpool/workflow/inspector";
import { historyFromText } from "@rockpool/workflow/testing";
import { HOSTILE_ID, type InspectedShop, inspectedShop } from "../tests/support/inspected_runs.ts";
import { decode } from "../history/codec.ts";
import { link } from "./links.ts";

/** Reads pages as a person does. */
class Reader {
  readonly #inspect: (request: Request) => Promise<Response>;

  constructor(options: InspectorOptions) {
    this.#inspect = inspector(options);
  }

  fetch(query: string): Promise<Response> {
    return this.#inspect(new Request(`http://localhost/some/path${query}`));
  }

  async html(query: string, status = 200): Promise<string> {
    const response = await this.fetch(query);
    const html = await response.text();
    assertEquals(response.status, status, html);
    return html;
  }

  /** The text of a page, without its markup. */
  async text(query: string, status = 200): Promise<string> {
    return textOf((await this.html(query, status)).replace(/^.*<main/s, "<main"));
  }

  async file(query: string): Promise<[text: string, name: string]> {
    const response = await this.fetch(query);
    assertEquals(response.status, 200);
    assertMatch(response.headers.get("content-security-policy")!, /sandbox/);
    const name = /^attachment; filename="([\w.-]+)"$/.exec(response.headers.get("content-disposition")!)![1];
    return [await response.text(), name];
  }
}

const textOf = (html: string) => unescape(html.replace(/<[^>]*>/g, " ")).replace(/\s+/g, " ");
const unescape = (text: string) => text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
const linksOf = (html: string) => [...html.matchAll(/ href="([^"]*)"/g)].map(([, to]) => unescape(to));
const idsOf = (html: string) => [...html.matchAll(/<tr data-id="([^"]*)"/g)].map(([, id]) => unescape(id));

function shopTest(name: string, body: (reader: Reader, shop: InspectedShop) => Promise<void>): void {
  Deno.test(`inspector() ${name}`, async () => {
    await using shop = await inspectedShop();
    await body(new Reader({ store: shop.store, executor: shop.executor, now: shop.now }), shop);
  });
}

shopTest("lists each run with what it waits for, how it failed, or its result", async (reader) => {
  const text = await reader.text("");
  assertStringIncludes(text, "All runs 58 Running 11 Completed 39 Failed 5 Canceled 3");
  assertMatch(
    text,
    /running RP-1024 order · region:apac team:checkout waits for activity chargeCard , attempt 6 in 6\.8 s/,
  );
  assertMatch(text, /failed trip-wien trip · team:travel NonRetryableError: The car is sold out input \{ parts:/);
  assertMatch(text, /waits for 2 children/);
  assertMatch(text, /completed import-1122\/page\/8 importPage → 320 input 8 .* 9\.2 s 4/);
});

shopTest("finds runs by ID, name, label, status and time", async (reader) => {
  const ids = async (query: string) => idsOf(await reader.html(query));
  assertEquals(await ids("?q=RP-101"), [
    "RP-1019",
    "RP-1018",
    "RP-1017",
    "RP-1016",
    "RP-1015",
    "RP-1014",
    "RP-1013",
    "RP-1012",
    "RP-1011",
    "RP-1010",
  ]);
  assertEquals(await ids("?q=trip"), ["trip-wien", "trip-porto", "trip-riga"]);
  assertEquals(await ids("?q=name:trip+team:travel&status=failed"), ["trip-wien", "trip-porto"]);
  assertEquals(await ids("?q=team:nobody"), []);
  assertEquals((await ids("?q=name:order+region:eu")).every((id) => id.startsWith("RP-")), true);
  assertStringIncludes(await reader.text("?q=team:nobody"), "No run matches");
  const bar = linksOf(await reader.html("")).find((to) => to.includes("after="))!;
  const [first] = await ids(bar);
  assert(first !== undefined, bar);
  assertStringIncludes(await reader.text("?q=import-1122/page/1"), "import-1122/page/1");
});

Deno.test("inspector() finds an ID that looks like a label", async () => {
  const store = new InMemoryStore();
  await store.save({ workflowId: "order:7", status: "completed", workflowName: "order" });
  const html = await new Reader({ store }).html("?q=order:7");
  assertStringIncludes(textOf(html), "The workflow with this ID: order:7");
  assert(linksOf(html).includes("?id=order%3A7"));
});

/** The store without its optional members. */
function plain(store: WorkflowStore): WorkflowStore {
  const [save, load, list, remove, append] = (["save", "load", "list", "delete", "append"] as const)
    .map((name) => (store[name] as (...args: unknown[]) => Promise<never>).bind(store));
  return { save, load, list, delete: remove, append };
}

for (const isPlain of [false, true]) {
  Deno.test(`inspector() has pages of a long list on a store ${isPlain ? "without" : "with"} optional members`, async () => {
    const store = new InMemoryStore();
    for (let i = 0; i < 130; i++) {
      await store.save({ workflowId: `a-${i}`, status: "completed", createdAt: i, updatedAt: i });
    }
    const reader = new Reader({ store: isPlain ? plain(store) : store, now: () => 1000 });
    const seen: string[] = [];
    for (let query: string | undefined = "?status=completed"; query !== undefined;) {
      const html = await reader.html(query);
      seen.push(...idsOf(html));
      query = unescape(/rel="next" href="([^"]*)"/.exec(html)?.[1] ?? "") || undefined;
    }
    assertEquals(seen, Array.from({ length: 130 }, (_, i) => `a-${129 - i}`));
  });
}

shopTest(
  "shows what a long run waits for without an executor, and not where its time went",
  async (_, { store, now }) => {
    const row = /<tr data-id="tank-7">.*?<\/tr>/s.exec(await new Reader({ store, now }).html("?q=tank-7"))![0];
    assertMatch(textOf(row), /waits for a timer in 5\.7 s .* 2,007/);
    assertNotMatch(row, /class="shares"/);
  },
);

Deno.test("inspector() says how to begin when the store is empty", async () => {
  const reader = new Reader({ store: new InMemoryStore() });
  assertStringIncludes(await reader.text(""), "No runs yet");
  assertStringIncludes(await reader.text("?id=a", 404), "There is no workflow a in this store");
  assertStringIncludes(await reader.text("?id=a&export=svg", 404), "There is no workflow a");
  assertStringIncludes(await reader.text("?id=a&diff=b", 404), "There is no workflow a");
});

shopTest("shows a run with its waits, labels, times and answers", async (reader) => {
  const text = await reader.text("?id=RP-1019");
  assertStringIncludes(text, "Waits for signal approval , at most 6 d 23 h more");
  assertStringIncludes(text, "Nothing was recorded in the last 51 min 36 s.");
  assertStringIncludes(text, "region eu");
  assertMatch(text, /Answers of its queries step "waiting for approval" total \d+/);
  assertMatch(
    text,
    /5 \+00:00:00\.\d+ activity attempt failed chargeCard attempt 1: GatewayError: Bank timed out, caused by TypeError: fetch failed, caused by Error: ECONNRESET; next in/,
  );
});

shopTest("links a child and its parent", async (reader) => {
  const parent = await reader.html("?id=import-1122");
  assertStringIncludes(textOf(parent), "Waits for child import-1122/page/1 and child import-1122/page/5");
  const to = "?id=import-1122%2Fpage%2F1";
  assert(linksOf(parent).includes(to));
  const child = await reader.html(to);
  assertMatch(textOf(child), /Parent import-1122 position \d+; if it ends: cancel/);
  assert(linksOf(child).includes("?id=import-1122"));
});

shopTest("travels to an event, with the answers of queries as of then", async (reader) => {
  const text = await reader.text("?id=RP-1008&at=4");
  assertStringIncludes(text, "As it was after event 4 of 15");
  assertStringIncludes(text, "Waits for activity chargeCard");
  assertMatch(text, /step "charging"/);
  assertNotMatch(text, /bookCarrier|workflow completed/);
  assertMatch(await reader.text("?id=RP-1008&at=2"), /step "reserving"/);
  assertMatch(await reader.text("?id=RP-1008&at=15"), /step "done"/);
  for (const at of ["0", "-1", "x", "1e3", "99999"]) await reader.html(`?id=RP-1008&at=${at}`);
  const slider = linksOf(await reader.html("?id=RP-1008&at=4&axis=events&f=activities"));
  assert(slider.includes("?id=RP-1008&at=5&axis=events&f=activities"), slider.join("\n"));
});

shopTest("answers no query without an executor that knows the workflow, and says so", async (_, { store, now }) => {
  await using executor = new Executor({ store });
  for (const options of [{ store, now }, { store, now, executor }]) {
    const text = await new Reader(options).text("?id=RP-1008");
    assertStringIncludes(text, "Its code answers them here: an executor that knows the workflow, or serve --code FILE");
    assertEquals(text.includes("WorkflowError"), false);
  }
});

shopTest("shows an event in full, and cuts an enormous value with a link to all of it", async (reader) => {
  const html = await reader.html(link({ id: HOSTILE_ID, e: 1 }));
  const text = textOf(html);
  for (
    const part of [
      "12345678901234567890n bigint",
      "2026-11-25T14:30:00.000Z Date",
      "Map(2)",
      "Set(2)",
      "/a<b/gi RegExp",
      "Uint8Array(40)",
      "minusZero: -0",
      "nothing: undefined",
      "Error: outer",
      "TypeError: inner",
      "48,002 characters",
    ]
  ) {
    assertStringIncludes(text, part);
  }
  assert(html.length < 150_000, `${html.length} characters`);
  const whole = linksOf(html).find((to) => to.includes("export=value"))!;
  const [file, name] = await reader.file(whole);
  assert(file.length > 48_000 && file.includes("the bottom") && file.includes("2999: 2999"));
  assertMatch(name, /^[\w.-]+\.txt$/);
});

shopTest("filters the history by groups, and has 200 events on a page", async (reader) => {
  const rows = (html: string) => [...html.matchAll(/<tr id="e(\d+)"/g)].map(([, number]) => Number(number));
  assertEquals(rows(await reader.html("?id=trip-wien&f=failures")), [3, 8, 9, 10, 17]);
  const last = rows(await reader.html("?id=tank-7"));
  assertEquals([last.length, last[199]], [200, 2007]);
  const seen: number[] = [];
  for (let page = 1; page <= 11; page++) seen.push(...rows(await reader.html(`?id=tank-7&page=${page}`)));
  assertEquals(seen, Array.from({ length: 2007 }, (_, i) => i + 1));
  assert(rows(await reader.html("?id=tank-7&e=1000")).includes(1000));
  assertEquals(rows(await reader.html("?id=tank-7&f=messages")).length, 7);
});

shopTest("folds idle time if the longest wait takes more than 40 % of the time", async (reader) => {
  const axis = async (id: string) =>
    /aria-label="Axis">.*?aria-current="true">([^<]*)/s.exec(await reader.html(`?id=${id}`))![1];
  assertEquals(await axis("RP-1019"), "Idle folded");
  assertEquals(await axis("trip-wien"), "Time");
  assertEquals(await axis("import-1122"), "Time");
});

shopTest("exports a run as a golden history, a test, JSON, SVG, Mermaid and text", async (reader, { store }) => {
  const state = (await store.load("RP-1008"))!;
  const [golden, name] = await reader.file("?id=RP-1008&export=history");
  assertEquals([historyFromText(golden).history.length, name], [15, "RP-1008.history"]);
  assertEquals(decode(JSON.parse((await reader.file("?id=RP-1008&export=json"))[0]), "read"), state);
  const [svg] = await reader.file("?id=RP-1019&export=svg");
  assertStringIncludes(svg, "running for 51 min 41 s");
  const [test, testName] = await reader.file("?id=import-1100&export=test");
  assertEquals([test.includes('"import-1100/page/8"'), testName], [true, "import-1100_test.ts"]);
  assertMatch((await reader.file("?id=RP-1008&export=mermaid"))[0], /^sequenceDiagram/);
  assertMatch((await reader.file("?id=RP-1008&export=gantt"))[0], /^gantt/);
  const [text, past] = await reader.file("?id=RP-1008&at=4&export=text");
  assertEquals([text.includes("chargeCard"), text.includes("bookCarrier"), past], [true, false, "RP-1008-at-4.txt"]);
  await reader.html("?id=RP-1008&export=toString", 404);
  await reader.html("?id=RP-1008&export=value&of=history&e=1", 404);
  assertMatch((await reader.file(link({ id: HOSTILE_ID, export: "svg" })))[1], /^\w[\w.-]*\.svg$/);
});

shopTest("compares two runs at the first event that differs", async (reader) => {
  const text = await reader.text("?id=RP-1016&diff=RP-1020");
  assertStringIncludes(text, "Event 5 is the first step that differs. Values differ from event 1 on.");
  assertMatch(
    text,
    /Event 5 activity attempt failed .* GatewayError: Bank timed out .* Event 5 activity failed .* NonRetryableError: The card was refused/,
  );
  assertStringIncludes(
    await reader.text("?id=RP-1016&diff=RP-1016"),
    "Both runs took the same steps with the same values.",
  );
});

/** Every view of the shop that its pages link to, and each export; a few hundred. */
async function* crawl(reader: Reader): AsyncGenerator<[query: string, html: string]> {
  const queue = ["?"];
  const seen = new Set(queue);
  const kinds = new Map<string, number>();
  for (const query of queue) {
    const response = await reader.fetch(query);
    const body = await response.text();
    assertEquals(response.status, 200, `${query}: ${body}`);
    yield [query, body];
    for (const to of linksOf(body)) {
      if (!to.startsWith("?")) continue;
      const view = to.replace(/#.*/, "");
      // Of links of one kind, to one workflow, some are enough.
      const parameters = new URLSearchParams(view);
      const kind = `${parameters.get("id")} ${[...parameters.keys()].join()}`;
      const count = kinds.get(kind) ?? 0;
      if (seen.has(view) || count >= (parameters.has("e") || parameters.has("at") ? 1 : 5)) continue;
      kinds.set(kind, count + 1);
      seen.add(view);
      queue.push(view);
    }
  }
}

Deno.test("inspector() never makes markup of texts of users, has no inline style or script, and links within itself", async () => {
  await using shop = await inspectedShop(6);
  const reader = new Reader({ store: shop.store, executor: shop.executor, now: shop.now });
  let views = 0;
  let hostile = 0;
  for await (const [query, html] of crawl(reader)) {
    if (query.includes("asset=") || query.includes("export=")) continue;
    views++;
    if (html.includes("document.title")) hostile++;
    assertNotMatch(html.replace(/<[^>]*>/g, ""), /\u202e/, query);
    for (const tag of html.match(/<[^>]*>/g)!) { // a ">" of a value is escaped
      assertNotMatch(
        tag.replace(/="[^"]*"/g, ""),
        /^<(img|style|iframe|object|base)|^<script(?! src)|\s(on\w+|style)\b|javascript:/i,
        tag,
      );
    }
    assertNotMatch(html.replace(/xmlns="[^"]*"/g, ""), /(href|src|action)="(?!\?|#)/, query);
  }
  assert(views > 100 && hostile > 10, `${views} views, ${hostile} with hostile texts`);
});

Deno.test("inspector() shows and exports only what redact() returns", async () => {
  await using shop = await inspectedShop(6);
  const places: RedactedPlace[] = [];
  const hide = (_: unknown, where: RedactedPlace) => {
    places.push(where);
    return where.property === "labels" ? { hidden: "yes" } : "hidden";
  };
  const reader = new Reader({ store: shop.store, executor: shop.executor, now: shop.now, redact: hide });
  let files = 0;
  for await (const [query, body] of crawl(reader)) {
    if (query.includes("export=")) files++;
    const shown = query.includes("asset=") ? "" : body.replaceAll(/value="[^"]*"|href="[^"]*"/g, "");
    assertNotMatch(
      shown,
      /Utrecht|sold out|timed out|mail\.example|apac|flight booked|mia|waiting for approval/,
      query,
    );
  }
  assert(files > 10);
  assertEquals(
    new Set(places.map(({ property }) => property)),
    new Set(["input", "result", "payload", "value", "labels", "error", "reason", "answer"]),
  );
  assert(places.some(({ event, name, workflowName }) => {
    return event === "activity_completed" && name === "chargeCard" && workflowName === "order";
  }));
});

Deno.test("inspector() redacts heartbeats, headers, remembered answers and the error of a query", async () => {
  const store = new InMemoryStore();
  const history = [
    {
      type: "workflow_started",
      at: 1,
      workflowName: "w",
      headers: { who: "secret 1" },
      remembered: { signalIds: [], updates: [{ type: "update_completed", at: 1, updateId: "u", result: "secret 2" }] },
    },
    { type: "activity_started", at: 1, seq: 0, name: "a" },
    { type: "activity_heartbeat", at: 2, seq: 0, attempt: 1, details: "secret 3" },
    {
      type: "activity_attempt_failed",
      at: 3,
      seq: 0,
      attempt: 1,
      error: { name: "Error", message: "no" },
      retryAt: 9,
      heartbeatDetails: "secret 4",
    },
  ] as unknown as WorkflowEvent[];
  await store.save({ workflowId: "a", workflowName: "w", status: "running", history });
  await using executor = new Executor({ store });
  await executor.execute(async function broken(ctx: WorkflowContext) {
    ctx.handleQuery("fails", () => {
      throw new Error("secret 5");
    });
    await ctx.waitForSignal("end");
  }, { id: "b" });
  const redact = (_: unknown, { property }: RedactedPlace) => property === "headers" ? {} : "hidden";
  const [open, closed] = [new Reader({ store, executor }), new Reader({ store, executor, redact })];
  const read = async (reader: Reader) =>
    (await Promise.all(["?id=a&export=json", "?id=b"].map(async (query) => await (await reader.fetch(query)).text())))
      .join();
  const secrets = (text: string) => [...new Set(text.match(/secret \d/g))].sort();
  assertEquals(secrets(await read(open)), [1, 2, 3, 4, 5].map((n) => `secret ${n}`));
  assertEquals(secrets(await read(closed)), []);
});

Deno.test("inspector() answers queries and exports as of the event when a live run is shown as it was", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  const handle = await executor.execute(async function order(ctx: WorkflowContext) {
    let step = "first";
    ctx.handleQuery("step", () => step);
    await ctx.waitForSignal("go");
    step = "second";
    await ctx.waitForSignal("end");
  }, { id: "a" });
  await handle.signal("go");
  const reader = new Reader({ store, executor, now: () => Date.now() + 3_600_000 });
  const step = async (query: string) => /step "(\w+)"/.exec(await reader.text(query))![1];
  assertEquals([await step("?id=a&at=1"), await step("?id=a")], ["first", "second"]);
  const running = async (query: string) => /running for [^,\n]*/.exec((await reader.file(query))[0])![0];
  assertMatch(await running("?id=a&export=text"), /1 h/);
  assertMatch(await running("?id=a&at=1&export=text"), /at the last event/);
  // What is past does not change, so its page loads nothing again. After the last event, it is the run as it is.
  const isLive = async (query: string) => (await reader.html(query)).includes("events=1");
  assertEquals([await isLive("?id=a&at=1"), await isLive("?id=a&at=2"), await isLive("?id=a")], [false, true, true]);
});

Deno.test("inspector() counts the runs of each tab under the filter, and again only when some time has passed", async () => {
  const inner = new InMemoryStore();
  const history = [{ type: "workflow_started", at: 1, workflowName: "w" }] as const;
  for (const id of ["a", "b"]) {
    await inner.save({ workflowId: id, workflowName: "w", status: "running", labels: { id }, history });
  }
  let [now, asked, factor] = [1, 0, 1];
  const count = async (filter: WorkflowFilter) => {
    [now, asked] = [now + 10, asked + 1];
    return factor * await inner.count(filter);
  };
  const store = { ...plain(inner), heads: inner.heads.bind(inner), count };
  const reader = new Reader({ store, now: () => now });
  const all = async (query: string) => /All runs( \d+)? Running( \d+)?/.exec(await reader.text(query))?.[0];
  assertEquals(await all(""), "All runs 2 Running 2");
  const before = asked;
  assertEquals([await all(""), asked], ["All runs 2 Running 2", before]);
  assertEquals(await all("?q=id:a"), "All runs 1 Running 1");
  now += 1e9;
  factor = 1e9; // too many to look at each
  assertMatch(await reader.text("?q=id:b"), /All runs Running Completed/);
});

Deno.test("inspector() shows no value that redact() throws for", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  await (await executor.execute((_: WorkflowContext, secret: string) => secret, { id: "a", input: "secret" })).result();
  const fail = () => {
    throw new Error("no");
  };
  const html = await new Reader({ store, redact: fail }).html("?id=a");
  assertEquals([html.includes("secret"), html.includes("[redact() failed]")], [false, true]);
});

Deno.test("inspector() shows no value that redact() replaces by what cannot be stored", async () => {
  const store = new InMemoryStore();
  const history = [{ type: "workflow_started", at: 1, workflowName: "w", input: 1 } as const];
  await store.save({ workflowId: "a", workflowName: "w", status: "running", history, labels: { region: "eu" } });
  const nonsense = [Symbol("s"), () => {}, { deep: [() => {}] }, { name: "Error", message: "m", cause: Symbol("s") }];
  for (const value of nonsense) {
    const reader = new Reader({ store, redact: () => value });
    for (const query of ["?json", "?json&id=a"]) {
      assertStringIncludes(await reader.text(query), '"input":"[redact() failed]"', String(query));
    }
    for (const query of ["", "?id=a"]) assertStringIncludes(await reader.html(query), "[redact() failed]");
  }
});

Deno.test("inspector() says why a run cannot be exported when a value has no text", async () => {
  const store = new InMemoryStore();
  const history = [{ type: "workflow_started", at: 1, workflowName: "w", input: new Blob(["x"]) } as const];
  await store.save({ workflowId: "a", workflowName: "w", status: "running", history });
  const reader = new Reader({ store });
  assertMatch(
    await reader.text("?id=a&export=history", 422),
    /TypeError: Cannot write the history of workflow "a".*Blob/,
  );
  await reader.html("?id=a");
});

Deno.test("inspector() answers 500 with the error when the store fails", async () => {
  const fail = () => Promise.reject(new Error("the disk is <gone>"));
  const store = { ...plain(new InMemoryStore()), load: fail, list: fail };
  const reader = new Reader({ store });
  for (const query of ["", "?id=a", "?id=a&diff=b", "?id=a&export=svg"]) {
    assertStringIncludes(await reader.text(query, 500), "Error: the disk is <gone>");
  }
});

Deno.test("inspector() shows the list when the store cannot count or read a history", async () => {
  const inner = new InMemoryStore();
  await inner.save({
    workflowId: "a",
    status: "running",
    history: [{ type: "workflow_started", at: 1, workflowName: "w" }],
  });
  const fail = () => Promise.reject(new Error("no"));
  const store = { ...plain(inner), heads: inner.heads.bind(inner), count: fail, loadSince: fail };
  assertEquals(idsOf(await new Reader({ store }).html("")), ["a"]);
});

Deno.test("inspector() shows the rows of the list whose histories can be read when a store answers nonsense for one", async () => {
  const inner = new InMemoryStore();
  for (const workflowId of ["a", "b"]) {
    const history = [
      { type: "workflow_started", at: 1, workflowName: "w" },
      { type: "timer_started", at: 1, seq: 0, dueAt: 9e15 },
    ] as const;
    await inner.save({ workflowId, status: "running", history });
  }
  const tail = (await inner.loadSince("b", 0))!;
  const started = tail.events[0];
  const nonsense = [
    undefined,
    7,
    "x",
    {},
    { head: tail.head },
    { events: [] },
    { head: null, events: null },
    {
      ...tail,
      events: [null],
    },
    { ...tail, events: [started, { type: "timer_started", at: "x" }] },
    { ...tail, events: [started, { type: "?" }] },
    {
      ...tail,
      head: { ...tail.head, labels: null, input: Symbol("s") },
    },
    { ...tail, events: { length: 2 } },
  ];
  for (const answer of nonsense) {
    const loadSince = (id: string, length: number, runId?: string) =>
      id === "b" ? Promise.resolve(answer as never) : inner.loadSince(id, length, runId);
    for (const redact of [undefined, (value: unknown) => value]) {
      const reader = new Reader({ store: { ...plain(inner), heads: inner.heads.bind(inner), loadSince }, redact });
      const list = await reader.html("");
      assertEquals(idsOf(list), ["b", "a"]);
      assertStringIncludes(list, "waits for a timer");
      assertEquals(JSON.parse(await reader.text("?json")).runs.length, 2);
    }
  }
});

Deno.test("inspector() names a compensation that is an arrow function by the activity that it calls", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  const refund = () => {};
  const handle = await executor.execute((ctx: WorkflowContext) => {
    ctx.addCompensation((ctx) => ctx.executeActivity(refund));
    throw new Error("sold out");
  }, { id: "a" });
  await handle.result().catch(() => {});
  const page = await (await inspector({ store })(new Request("http://localhost/?id=a"))).text();
  assertMatch(page, /compensation started.{0,300}?<b>refund<\/b>/s);
});

Deno.test("inspector() does not say of a run that has not begun that it runs, and asks it no query", async () => {
  const store = new InMemoryStore();
  const startAt = 9_000_000_000_000;
  await using executor = new Executor({ store });
  await executor.execute(function greet() {}, { id: "later", startAt });
  const page = await (await inspector({ store, executor })(new Request("http://localhost/?id=later"))).text();
  assertMatch(page, /<li class="soft">created /);
  assertStringIncludes(page, "Its code has not begun.");
  for (const wrong of ["running for", "started ", `${startAt}`]) assertEquals(page.includes(wrong), false, wrong);
});

Deno.test("inspector() leads from the error of a run to the end of the activity, not to an earlier attempt", async () => {
  const store = new InMemoryStore();
  await using executor = new Executor({ store });
  const charge = () => Promise.reject(new Error("503 from the bank"));
  const handle = await executor.execute(
    (ctx: WorkflowContext) => ctx.executeActivity(charge, undefined, { retry: { initialIntervalMs: 1 } }),
    { id: "a" },
  );
  await handle.result().catch(() => {});
  const { history } = await executor.describe("a", { history: true });
  const failed = history.findIndex(({ type }) => type === "activity_failed") + 1;
  const page = await (await inspector({ store })(new Request("http://localhost/?id=a"))).text();
  assertStringIncludes(page, `#e${failed}">Event ${failed}</a></section>`);
});
