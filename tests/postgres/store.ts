/** `PostgresStore`: opening, batches, other processes, pages, codecs, maintenance. The contract: `contract.ts`. Run by `tools/postgres.ts`. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type AppendBatch,
  Executor,
  type Labels,
  type WorkflowContext,
  WorkflowError,
  type WorkflowEvent,
  type WorkflowFilter,
} from "@rockpool/workflow";
import { listen } from "../support/durable.ts";
import { type PostgresClient, PostgresStore, type PostgresStoreOptions } from "@rockpool/workflow/postgres";
import type { PayloadCodec } from "@rockpool/workflow/storage";
import { silent } from "../support/executors.ts";
import { toClient } from "../../stores/postgres/client.ts";
import { connect, openAgain, openSchema, type OpenStore, openStore, until } from "./clients.ts";

const started: WorkflowEvent = { type: "workflow_started", at: 1, workflowName: "w", input: "in" };
const fired: WorkflowEvent = { type: "timer_fired", at: 2, seq: 0 };
const completed: WorkflowEvent = { type: "workflow_completed", at: 3, result: "out" };
const start = (store: PostgresStore, workflowId: string) =>
  store.append({ workflowId, runId: "1", expectedLength: 0, events: [started] });
const add = (store: PostgresStore, workflowId: string, expectedLength: number, event: WorkflowEvent = fired) =>
  store.append({ workflowId, runId: "1", expectedLength, events: [event] });

function postgresTest(name: string, body: (store: OpenStore) => Promise<void>): void {
  Deno.test(`PostgresStore.${name}`, async () => {
    await using store = await openStore();
    await body(store);
  });
}

/** Runs SQL beside the store. `@` stands for the schema. */
const sql = (store: OpenStore, text: string): Promise<unknown[]> =>
  store.connection.sql(text.replaceAll("@", `"${store.schema}"`));
/** How many statements have written something. */
const countNotes = async (store: OpenStore) => Number((await sql(store, "SELECT count(*) FROM @.rockpool_changes"))[0]);

for (const client of [undefined, null, 5, "postgres://localhost", {}, () => {}]) {
  Deno.test(`PostgresStore.open() refuses ${typeof client === "function" ? "a function" : JSON.stringify(client)} as a client`, async () => {
    const { message } = await assertRejects(() => PostgresStore.open(client as never), TypeError);
    const wanted = `"client" must be an sql of postgres.js, a Pool of pg, or an object with a method "query"`;
    assert(message.startsWith(`Cannot open a store: ${wanted}, got `), message);
  });
}

for (const schema of ["", "pg_mine", "x".repeat(64), "é".repeat(32), "a\0", "\ud800"]) {
  Deno.test(`PostgresStore.open() refuses the schema ${JSON.stringify(schema).slice(0, 20)}`, async () => {
    await using connection = await connect();
    const { message } = await assertRejects(() => PostgresStore.open(connection.client, { schema }), Error);
    assert(message.startsWith('Cannot open a store: "schema" must '), message);
  });
}

for (const schema of [`A "b" 'c' \\d; -- $1 $rockpool$`, "é".repeat(31), "public"]) {
  Deno.test(`PostgresStore.open() keeps a store in the schema ${schema}`, async () => {
    await using store = await openSchema(schema);
    await using other = await openAgain(store);
    const heard = listen(other, 1);
    await start(store, `a ${schema}`);
    assertEquals(await heard, [[`a ${schema}`, 1]]);
    assertEquals((await other.load(`a ${schema}`))?.status, "running");
    await store.delete(`a ${schema}`);
  });
}

Deno.test("PostgresStore.open() makes the tables once when several processes do it at the same time", async () => {
  const schema = `race_${crypto.randomUUID()}`;
  const stores = await Promise.all(Array.from({ length: 6 }, () => openSchema(schema, { connect: { max: 1 } })));
  await Promise.all(stores.map((store, i) => start(store, `${i}`)));
  assertEquals(await stores[0].count(), 6);
  for (const store of stores) await store[Symbol.asyncDispose]();
});

postgresTest("open() refuses the schema of a later release, and changes nothing", async (store) => {
  await sql(store, "UPDATE @.rockpool_meta SET version = 99");
  const { message } = await assertRejects(() => openAgain(store), Error);
  const why = "its schema has version 99, this release knows versions up to 1: update @rockpool/workflow";
  assertEquals(message, `Cannot open store in schema "${store.schema}": ${why}`);
  assertEquals((await sql(store, "SELECT version::text FROM @.rockpool_meta"))[0], "99");
});

postgresTest("open() needs no right to create anything when the schema is there", async (store) => {
  const role = `reader_${Deno.pid}_${Math.floor(performance.now())}`;
  await sql(store, `CREATE ROLE ${role} LOGIN`);
  const url = Deno.env.get("POSTGRES_URL")!.replace("rockpool@", `${role}@`);
  const { message } = await assertRejects(() => openAgain(store, { connect: { url } }), Error);
  assert(message.includes("the user has no right to do it"), message);
  await sql(store, `GRANT USAGE ON SCHEMA @ TO ${role}`);
  await sql(store, `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA @ TO ${role}`);
  await sql(store, `GRANT USAGE ON ALL SEQUENCES IN SCHEMA @ TO ${role}`);
  await using limited = await openAgain(store, { connect: { url } });
  await start(limited, "a");
  await add(limited, "a", 1, completed);
  assertEquals(await limited.prune({ finishedBefore: 9 }), 1);
});

Deno.test("PostgresStore.open() says that nobody answers", async () => {
  await using connection = await connect({ url: "postgres://rockpool@127.0.0.1:1/postgres" });
  const { message } = await assertRejects(() => PostgresStore.open(connection.client), Error);
  assert(message.startsWith('Cannot open store in schema "rockpool": Postgres does not answer: '), message);
});

postgresTest("append() shares one statement with the other writes of a macrotask", async (store) => {
  await Promise.all(Array.from({ length: 100 }, (_, i) => start(store, `${i}`)));
  assertEquals(await countNotes(store), 1);
});

postgresTest("append() fails alone when it is a conflict among other writes", async (store) => {
  await start(store, "a");
  const settled = await Promise.allSettled([
    start(store, "b"),
    add(store, "a", 7),
    add(store, "a", 1),
    start(store, "a"),
  ]);
  assertEquals(settled.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled", "rejected"]);
  assertEquals((await store.list()).map(({ history }) => history.length), [2, 1]);
});

postgresTest("append() fails alone when Postgres refuses it among other writes", async (store) => {
  await sql(
    store,
    `CREATE FUNCTION @.no_b() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF new.workflow_id = 'b' THEN RAISE EXCEPTION 'no b'; END IF; RETURN new; END $$`,
  );
  await sql(
    store,
    "CREATE TRIGGER no_b BEFORE INSERT ON @.rockpool_workflows FOR EACH ROW EXECUTE FUNCTION @.no_b()",
  );
  const settled = await Promise.allSettled(["a", "b", "c", "d", "e"].map((id) => start(store, id)));
  assertEquals(settled.map(({ status }) => status), ["fulfilled", "rejected", ...Array(3).fill("fulfilled")]);
  assertEquals((settled[1] as PromiseRejectedResult).reason.message, "Cannot write to the store: no b");
  assertEquals((await store.list()).map(({ workflowId }) => workflowId).sort(), ["a", "c", "d", "e"]);
});

postgresTest("append() takes effect in the order of the calls", async (store) => {
  await Promise.all([start(store, "a"), add(store, "a", 1), add(store, "a", 2), store.delete("a"), start(store, "a")]);
  assertEquals((await store.load("a"))?.history, [started]);
});

postgresTest("append() is sent again when Postgres has rolled it back because of a deadlock", async (store) => {
  await start(store, "a");
  await start(store, "b");
  await using other = await connect({ max: 1 });
  const lock = (id: string) =>
    `SELECT 1 FROM "${store.schema}".rockpool_workflows WHERE workflow_id = '${id}' FOR UPDATE`;
  const [first, second] = await sql(store, "SELECT workflow_id FROM @.rockpool_workflows ORDER BY key") as string[];
  await other.sql("BEGIN");
  await other.sql("SET LOCAL deadlock_timeout = '1min'"); // so that the store is the one that is rolled back
  await other.sql(lock(second));
  const written = Promise.all([add(store, "a", 1), add(store, "b", 1)]);
  const waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  await until(async () => (await store.connection.sql(waiting))[0] === "1");
  await other.sql(lock(first));
  await other.sql("COMMIT");
  await written;
  assertEquals((await store.list()).map(({ history }) => history.length), [2, 2]);
});

postgresTest(
  "append() of two stores to the same workflows in other orders settles, and one of each two succeeds",
  async (store) => {
    await using other = await openAgain(store);
    const ids = Array.from({ length: 50 }, (_, i) => `${i}`);
    await Promise.all(ids.map((id) => start(store, id)));
    for (let length = 1; length < 10; length++) {
      const settled = await Promise.allSettled([
        ...ids.map((id) => add(store, id, length)),
        ...ids.toReversed().map((id) => add(other, id, length)),
      ]);
      const won = settled.filter(({ status }) => status === "fulfilled").length;
      const codes = settled.flatMap((one) => one.status === "rejected" ? [one.reason.code] : []);
      assertEquals([won, new Set(codes)], [50, new Set(["conflict"])]);
    }
  },
);

postgresTest("save() of several stores at once keeps one history", async (store) => {
  await using other = await openAgain(store);
  const saves = Array.from(
    { length: 30 },
    (_, i) => (i % 2 ? store : other).save({ workflowId: "a", status: "running", history: [fired] }),
  );
  await Promise.all(saves);
  assertEquals((await sql(store, "SELECT count(*)::text FROM @.rockpool_events"))[0], "1");
});

postgresTest("delete() beside writers of another store leaves nothing of a workflow", async (store) => {
  await using other = await openAgain(store);
  for (let i = 0; i < 30; i++) {
    await start(store, "a");
    const writes = Array.from({ length: 5 }, (_, n) => add(other, "a", n + 1));
    await Promise.allSettled([...writes, store.delete("a")]);
    await store.delete("a");
  }
  assertEquals(await sql(store, "SELECT count(*)::text FROM @.rockpool_events"), ["0"]);
});

postgresTest(
  "subscribe() reports what other instances write, each change once, and own changes not again",
  async (store) => {
    await using other = await openAgain(store);
    await start(store, "before");
    const heard = listen(store, 5);
    await start(store, "own");
    await start(other, "a");
    await add(store, "own", 1);
    await add(other, "own", 2);
    await other.save({ workflowId: "b", status: "running" });
    const changes = await heard;
    assertEquals(changes.map(([id, length]) => `${id} ${length}`).sort(), ["a 1", "b null", "own 1", "own 2", "own 3"]);
  },
);

postgresTest("subscribe() reports a transaction that began earlier and commits later than others", async (store) => {
  await using writer = await openAgain(store);
  await using other = await connect({ max: 1 });
  await start(store, "slow");
  const changes: string[] = [];
  const end = store.subscribe((id, length) => void changes.push(`${id} ${length}`));
  await other.sql("BEGIN");
  await other.sql(`SELECT 1 FROM "${store.schema}".rockpool_workflows WHERE workflow_id = 'slow' FOR UPDATE`);
  const late = Promise.all([start(writer, "new"), add(writer, "slow", 1)]); // one statement, which waits for the lock
  const waiting =
    "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND backend_xid IS NOT NULL";
  await until(async () => (await store.connection.sql(waiting))[0] === "1");
  await using third = await openAgain(store);
  await start(third, "fast");
  await until(() => changes.includes("fast 1"));
  assertEquals(changes, ["fast 1"]);
  await other.sql("COMMIT");
  await late;
  await until(() => changes.length === 3);
  assertEquals(changes.toSorted(), ["fast 1", "new 1", "slow 2"]);
  end();
});

const listeners = (store: OpenStore) =>
  store.connection.sql(
    `SELECT pid::text FROM pg_stat_activity WHERE lower(query) LIKE 'listen%${store.schema.replaceAll("-", "_")}%'`,
  );

postgresTest("subscribe() hears on when the connection that listens is broken, and listens again", async (store) => {
  await using other = await openAgain(store);
  const changes: string[] = [];
  const end = store.subscribe((id) => void changes.push(id!));
  let pids: unknown[] = [];
  await until(async () => (pids = await listeners(store)).length === 1);
  await store.connection.sql(`SELECT pg_terminate_backend(${pids[0]})::text`);
  await start(other, "a");
  await until(() => changes.includes("a"));
  await until(async () => {
    const now = await listeners(store);
    return now.length === 1 && now[0] !== pids[0];
  });
  await start(other, "b");
  await until(() => changes.includes("b"));
  assertEquals(changes, ["a", "b"]);
  end();
});

for (const [what, deaf] of [["cannot listen", false], ["hears nothing when it listens", true]] as const) {
  postgresTest(`subscribe() finds the changes of others when the client ${what}`, async (store) => {
    let tries = 0;
    const client: PostgresClient = {
      query: async (text, params) => {
        const { client } = store.connection;
        if (client.unsafe) return await client.unsafe(text, params);
        return (await client.query({ text, values: params })).rows;
      },
      ...(deaf && {
        listen: () => {
          tries++;
          return Promise.resolve(() => {});
        },
      }),
    };
    await using reader = await PostgresStore.open(client, { schema: store.schema, pollMs: 5 });
    const found = new Set<string | null>();
    const end = reader.subscribe((id) => void found.add(id));
    for (let i = 0; i < 12; i++) {
      await start(store, `${i}`);
      await until(() => found.has(`${i}`));
    }
    assert(tries <= 4, `It has listened ${tries} times`);
    end();
  });
}

postgresTest("heads() tells apart what begins with the same long text", async (store) => {
  const long = "\u{1f600}".repeat(99) + "é";
  const texts = [long, `${long}a`, `${long}b`, `${long.slice(0, -1)}\ud83d`, "$1::text", "$1::text'"];
  for (const text of texts) {
    const labels = { [text]: text, other: `"${text}":"x"` };
    const event = { ...started, workflowName: text, labels } as WorkflowEvent;
    await store.append({ workflowId: text, runId: "1", expectedLength: 0, events: [event] });
  }
  const find = async (filter: WorkflowFilter) => {
    const { heads } = await store.heads({ ...filter, order: "desc" });
    assertEquals(await store.count(filter), heads.length);
    return heads.map(({ workflowId }) => workflowId);
  };
  for (const text of texts) {
    assertEquals(await find({ workflowName: text }), [text]);
    assertEquals(await find({ labels: { [text]: text } }), [text]);
    assertEquals(await find({ labels: { [text]: "x" } }), []);
    assertEquals(
      await find({ idPrefix: text, createdAfter: 0, createdBefore: 2 }),
      texts.filter((id) => id.startsWith(text)).reverse(),
    );
  }
});

Deno.test("PostgresStore.heads() searches without parameters, so that Postgres plans for what is searched", async () => {
  await using connection = await connect();
  const { query } = toClient(connection.client, "test");
  const texts: [string, number][] = [];
  const client: PostgresClient = { query: (text, params) => (texts.push([text, params.length]), query(text, params)) };
  await using store = await PostgresStore.open(client, { schema: `test_${crypto.randomUUID()}` });
  for (const id of ["a", "b", "c"]) await start(store, id);
  const { cursor } = await store.heads({ limit: 1 });
  texts.length = 0;
  for (const filter of [{}, { workflowName: "w" }, { idPrefix: "a" }, { labels: { a: "b" } }, { createdAfter: 1 }]) {
    await store.heads({ ...filter, limit: 1, cursor });
  }
  assertEquals(texts.map(([, count]) => count), [1, 0, 0, 0, 0]);
  for (const [text] of texts.slice(1)) assertEquals(/\$\d/.test(text), false, text);
});

postgresTest(
  "heads() finds runs by the index of labels as they were saved, continued, replaced or changed last",
  async (store) => {
    const append = (workflowId: string, events: WorkflowEvent[], part: Partial<AppendBatch> = {}) =>
      store.append({ workflowId, runId: "1", expectedLength: 0, events, ...part });
    const find = async (filter: WorkflowFilter) => {
      const { heads } = await store.heads({ ...filter, order: "desc" });
      assertEquals(await store.count(filter), heads.length);
      return heads.map(({ workflowId }) => workflowId).join();
    };
    const indexed = async () => Number((await sql(store, "SELECT count(*)::text FROM @.rockpool_labels"))[0]);
    const begun = (labels: Labels) => ({ ...started, labels }) as WorkflowEvent;
    const changed = (labels: Labels, seq: number): WorkflowEvent => ({ type: "labels_changed", at: 2, seq, labels });
    for (const id of ["a", "b", "c", "d"]) await append(id, [begun({ old: "x", "a:b": "c" })]);
    await append("e", [started]);
    assertEquals([await find({ labels: { old: "x", "a:b": "c" } }), await indexed()], ["d,c,b,a", 8]);
    assertEquals([await find({ labels: { a: "b:c" } }), await find({ labels: { ol: "dx" } })], ["", ""]);
    await Promise.all([
      append("a", [changed({ new: "x" }, 0)], { expectedLength: 1 }),
      append("b", [{ type: "workflow_completed", at: 2 }], { expectedLength: 1 }), // in one statement with the others
      append("c", [begun({ new: "x" })], { runId: "2", replaces: "1", expectedLength: 1 }),
      append("e", [changed({ new: "x" }, 0), changed({ new: "y", last: "x" }, 1)], { expectedLength: 1 }),
    ]);
    assertEquals([await find({ labels: { new: "x" } }), await find({ labels: { old: "x" } })], ["c,a", "d,b"]);
    assertEquals([await find({ labels: { last: "x" } }), await find({ labels: { new: "x" }, status: "completed" })], [
      "e",
      "",
    ]);
    await store.save({ workflowId: "d", status: "completed", labels: { new: "x" } });
    await append("b", [begun({ new: "x" })], { runId: "2", replaces: "1" });
    assertEquals([await find({ labels: { new: "x" } }), await find({ labels: { old: "x" } })], ["b,d,c,a", ""]);
    await store.prune({ finishedBefore: 1e15 });
    assertEquals(await find({ labels: { new: "x" } }), "b,c,a");
    for (const { workflowId } of await store.list()) await store.delete(workflowId);
    assertEquals(await indexed(), 0);
  },
);

postgresTest("list() finds labels and prefixes with every character", async (store) => {
  const odd = ["\0", "\ud83d", "\u{1f600}", "\\", '"', "'", "%", "__proto__"];
  for (const text of odd) {
    const event = { ...started, labels: { [text]: text } } as WorkflowEvent;
    await store.append({ workflowId: `${text}x`, runId: "1", expectedLength: 0, events: [event] });
  }
  const ids = async (filter: Parameters<typeof store.list>[0]) =>
    (await store.list(filter)).map(({ workflowId }) => workflowId);
  for (const text of odd) {
    assertEquals(await ids({ labels: JSON.parse(JSON.stringify({ [text]: text })) }), [`${text}x`]);
  }
  assertEquals(await ids({ idPrefix: "\ud83d" }), ["\ud83dx", "\u{1f600}x"]);
  assertEquals(await ids({ idPrefix: "\ud83d", limit: 1, order: "desc" }), ["\u{1f600}x"]);
  assertEquals([await store.count({ idPrefix: "\ud83d" }), await store.count({ idPrefix: "\\" })], [2, 1]);
});

postgresTest(
  "page() and heads() return all workflows in pages, also beside writes, and heads read no history",
  async (store) => {
    for (const id of ["a", "b", "c", "d"]) await start(store, id);
    await add(store, "d", 1, completed);
    const first = await store.page({ limit: 2, order: "desc" });
    await store.delete("c");
    await start(store, "e");
    const second = await store.page({ limit: 2, order: "desc", cursor: first.cursor! });
    assertEquals(first.states.map(({ workflowId }) => workflowId), ["d", "c"]);
    assertEquals([second.states.map(({ workflowId }) => workflowId), second.cursor], [["b", "a"], undefined]);
    assertEquals(first.states[0].history, [started, completed]);
    await sql(store, "DELETE FROM @.rockpool_events");
    assertEquals((await store.heads({ status: "completed" })).heads.map(({ historyLength }) => historyLength), [2]);
  },
);

postgresTest("claim() that finds nothing writes nothing", async (store) => {
  await start(store, "a");
  await store.claim({ owner: "x", leaseMs: 60_000, limit: 5 });
  const next = async () => (await sql(store, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"))[0];
  const claimed = async () => {
    const before = await next();
    for (let i = 0; i < 3; i++) assertEquals(await store.claim({ owner: "x", leaseMs: 60_000, limit: 5 }), []);
    return [await next(), before];
  };
  // The server also writes by itself, once in a while: it counts rows for its planner.
  let [after, before] = await claimed();
  for (let i = 0; i < 5 && after !== before; i++) [after, before] = await claimed();
  assertEquals(after, before);
});

postgresTest("claim() of two stores at once gives each run to one of them", async (store) => {
  await using other = await openAgain(store);
  await Promise.all(Array.from({ length: 60 }, (_, i) => start(store, `${i}`)));
  const claims = Array.from(
    { length: 20 },
    (_, i) => (i % 2 ? store : other).claim({ owner: `${i}`, leaseMs: 60_000, limit: 5 }),
  );
  const ids = (await Promise.all(claims)).flat().map(({ workflowId }) => workflowId);
  assertEquals(new Set(ids).size, ids.length);
  const rest = await store.claim({ owner: "last", leaseMs: 60_000, limit: 60 });
  assertEquals(ids.length + rest.length, 60);
});

postgresTest("prune() deletes the workflows that finished earlier, and reports them", async (store) => {
  for (let i = 0; i < 600; i++) {
    store.save({ workflowId: `${i}`, status: i % 2 ? "failed" : "running", updatedAt: i, history: [fired] });
  }
  await store.save({ workflowId: "last", status: "completed", updatedAt: 600 });
  const heard = listen(store, 300);
  assertEquals(await store.prune({ finishedBefore: 600 }), 300);
  assertEquals((await heard)[0][1], null);
  assertEquals([await store.count(), await store.count({ status: "failed" })], [301, 0]);
  assertEquals(await sql(store, "SELECT count(*)::text FROM @.rockpool_events"), ["300"]);
  assertEquals(await store.prune({ finishedBefore: 600 }), 0);
});

postgresTest("close() waits for what was begun, can be repeated, and later calls reject", async (store) => {
  const written = start(store, "a");
  await store.close();
  await store.close();
  await written;
  for (const call of [() => store.load("a"), () => store.list(), () => start(store, "b"), () => store.delete("a")]) {
    const { message } = await assertRejects(call, Error);
    assert(message.endsWith("the store is closed"), message);
  }
  await using again = await openAgain(store);
  assertEquals(await again.count(), 1);
});

/** A codec that hides what it stores: as bytes, in promises, or as text with characters that Postgres does not keep. */
const hiding = (how: "bytes" | "promises" | "texts"): PayloadCodec => {
  const turn = (text: string) => Array.from(text, (char) => String.fromCharCode(char.charCodeAt(0) ^ 0x55)).join("");
  const bytes = (text: string) => Uint8Array.from(turn(text), (char) => char.charCodeAt(0));
  const text = (payload: unknown) => turn(String.fromCharCode(...payload as Uint8Array));
  if (how === "texts") {
    return {
      name: how,
      encode: (text) => `\0\ud800${turn(text)}`,
      decode: (all) => turn((all as string).slice(2)),
    };
  }
  if (how === "bytes") return { name: how, encode: bytes, decode: text };
  return { name: how, encode: async (text) => await bytes(text), decode: async (payload) => await text(payload) };
};

for (const how of ["bytes", "promises", "texts"] as const) {
  postgresTest(`open() with a codec that returns ${how} stores no payload in the clear`, async (plain) => {
    const options: PostgresStoreOptions = { codec: hiding(how) };
    const secret = { ...started, input: "secret" } as WorkflowEvent;
    await using store = await openAgain(plain, options);
    await store.append({ workflowId: "a", runId: "1", expectedLength: 0, events: [secret, completed] });
    assertEquals((await store.load("a"))?.history, [secret, completed]);
    const stored = await sql(store, "SELECT (w.*, e.*)::text FROM @.rockpool_workflows w, @.rockpool_events e");
    assert(!String(stored[0]).includes("secret"), String(stored[0]));
    const { code, message } = await assertRejects(() => plain.load("a"), WorkflowError);
    assertEquals(code, "invalid_history");
    assert(message.includes(`was written by the codec "${how}"`), message);
  });
}

postgresTest("load() refuses a damaged payload, and recover() resumes the other runs", async (store) => {
  const wait = async (ctx: WorkflowContext) => await ctx.waitForSignal("s");
  const options = { store, workflows: { wait }, logger: silent, onError() {} };
  {
    await using executor = new Executor(options);
    for (const id of ["a", "b", "c"]) await executor.execute(wait, { id });
  }
  const of = (id: string) => `WHERE history = (SELECT history FROM @.rockpool_workflows WHERE workflow_id = '${id}')`;
  await sql(store, `UPDATE @.rockpool_events SET events = '[{' ${of("a")}`);
  await sql(store, `DELETE FROM @.rockpool_events ${of("b")}`);
  for (const [id, words] of [["a", "a stored payload is damaged"], ["b", "0 of its 1 events are stored"]]) {
    const { code, message } = await assertRejects(() => store.load(id), WorkflowError);
    assertEquals(code, "invalid_history");
    assert(message.includes(words), message);
  }
  await using executor = new Executor(options);
  const handles = await executor.recover();
  await executor.signal("c", "s", "hello");
  const results = await Promise.allSettled(handles.map((handle) => handle.result()));
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected", "fulfilled"]);
});
