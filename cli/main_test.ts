/** `main()`: each command over each kind of source, in this process. `program_test.ts` runs the real program. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Executor, InMemoryStore, type WorkflowContext, type WorkflowEvent } from "@rockpool/workflow";
import { inspector, type InspectorOptions } from "@rockpool/workflow/inspector";
import { SqliteStore } from "@rockpool/workflow/sqlite";
import { historyFromText } from "@rockpool/workflow/testing";
import { CliFiles, HOSTILE, shell, STARTED_AT } from "../tests/support/cli_runs.ts";
import { order } from "../tests/support/cli_workflows.ts";

const code = new URL("../tests/support/cli_workflows.ts", import.meta.url).pathname;
const changed = new URL("../tests/support/cli_changed.ts", import.meta.url).pathname;

/** Runs a test with files that hold the same runs. */
function cliTest(name: string, body: (files: CliFiles) => Promise<void>): void {
  Deno.test(name, async () => {
    await using files = await CliFiles.make();
    await body(files);
  });
}

/** Serves an inspector on loopback. */
async function withInspector(options: InspectorOptions, body: (url: string) => Promise<void>): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, inspector(options));
  try {
    await body(`http://127.0.0.1:${server.addr.port}/`);
  } finally {
    await server.shutdown();
  }
}

const lines = (text: string) => text.trimEnd().split("\n");
const records = (text: string) => lines(text).map((line) => JSON.parse(line));

cliTest("main(list) shows the newest runs first, with the error or the wait", async (files) => {
  const { code, out, error } = await shell(["list", files.at("orders.db")]);
  assertEquals([code, error], [0, ""]);
  const rows = lines(out);
  assert(/^STATUS +ID +NAME +CREATED \(UTC\) +TIME +EVENTS +ERROR OR WAIT$/.test(rows[0]), rows[0]);
  assert(/^failed +order-3 +order +2026-11-26 17:00:00 .*RangeError: Declined: 1500$/.test(rows[1]), rows[1]);
  assert(/^running +order-2 .* 1 d 1 h +5 +waits for signal approval, deadline in 5 d 23 h$/.test(rows[2]), rows[2]);
  assert(/^completed +order-1 .* 2 h +7$/.test(rows[3]), rows[3]);
});

cliTest("main(list) reads an SQLite file, a snapshot and an inspector alike", async (files) => {
  const expected = await shell(["list", files.at("orders.db")]);
  assertEquals(await shell(["list", files.at("orders.snapshot")]), expected);
  const store = InMemoryStore.restore(await Deno.readTextFile(files.at("orders.snapshot")));
  await withInspector({ store }, async (url) => assertEquals(await shell(["list", url]), expected));
  const history = await shell(["list", files.at("order-1.history")]);
  const words = (text: string) => lines(text).map((line) => line.split(/ {2,}/));
  assertEquals(words(history.out)[1], words(expected.out)[3]);
});

cliTest("main(list --json) writes a stable line for each run", async (files) => {
  const { out } = await shell(["list", files.at("orders.db"), "--json"]);
  assertEquals(records(out)[1], {
    id: "order-2",
    runId: "00000000-0000-4000-8000-000000000001",
    name: "order",
    status: "running",
    createdAt: "2026-11-26T15:00:00.000Z",
    updatedAt: "2026-11-26T15:00:00.000Z",
    events: 5,
    labels: { region: "us" },
    waitsFor: [{ type: "signal", name: "approval", until: STARTED_AT + 3_600_000 + 7 * 86_400_000 }],
  });
  assertEquals(records(out)[0].error, { name: "RangeError", message: "Declined: 1500" });
});

cliTest("main(list) takes the time of the system if now() answers nonsense or a promise", async (files) => {
  const { main } = await import("./mod.ts");
  const refuse = () => Promise.reject(new Error("refused"));
  for (const now of [() => NaN, () => "soon", () => null, refuse, () => Promise.resolve(1)] as (() => never)[]) {
    let out = "";
    const code = await main(["list", files.at("orders.db")], { out: (text) => out += text, error: () => {}, now });
    assertEquals([code, lines(out).length], [0, 4]);
  }
});

cliTest("main(list) takes filters", async (files) => {
  const ids = async (...flags: string[]) => {
    const { out, code } = await shell(["list", files.at("orders.db"), "--json", ...flags]);
    return code === 0 ? (out === "" ? [] : records(out).map(({ id }) => id)) : code;
  };
  assertEquals(await ids("--status", "running", "--status", "failed"), ["order-3", "order-2"]);
  assertEquals(await ids("--label", "region=eu"), ["order-3", "order-1"]);
  assertEquals(await ids("--name", "nothing"), []);
  assertEquals(await ids("--since", "25h30m"), 2);
  assertEquals(await ids("--since", "24h"), ["order-3"]);
  assertEquals(await ids("--since", "2026-11-26T15:00:00Z"), ["order-3"]);
  assertEquals(await ids("--limit", "1"), ["order-3"]);
  assertEquals(await ids("--status", "done"), 2);
});

cliTest("main(list) reads as many pages of a store as the limit takes, and no run twice", async (files) => {
  const store = new InMemoryStore();
  const history = [{ type: "workflow_started", at: 1, workflowName: "w" }] as const;
  for (let i = 0; i < 1100; i++) {
    await store.save({ workflowId: `w-${i}`, workflowName: "w", status: "running", history });
  }
  await Deno.writeTextFile(files.at("many.snapshot"), await store.snapshot());
  const { out } = await shell(["list", files.at("many.snapshot"), "--limit", "550", "--json"]);
  const ids = records(out).map(({ id }) => id);
  assertEquals([ids.length, new Set(ids).size], [550, 550]);
});

cliTest("main(list) is as wide as the terminal", async (files) => {
  for (const columns of [20, 40, 80, 100]) {
    const { out } = await shell(["list", files.at("orders.db")], { columns });
    const widest = Math.max(...lines(out).map((line) => line.length));
    assert(widest <= Math.max(columns, 80), `${columns}: ${widest}\n${out}`);
  }
  assertStringIncludes((await shell(["list", files.at("orders.db")], { columns: 100 })).out, "…");
});

cliTest("main() uses colours only if it may", async (files) => {
  const escape = "\x1b[";
  const args = ["list", files.at("orders.db")];
  assert((await shell(args, { color: true })).out.includes(`${escape}31mfailed`));
  assert(!(await shell(args)).out.includes(escape));
  const { error } = await shell(["nothing"], { color: true });
  assert(error.startsWith(`${escape}31mThere is no command "nothing"`));
});

cliTest("main() writes no escape sequence of a workflow to the terminal", async (files) => {
  const store = await SqliteStore.open(files.at("orders.db"));
  const executor = new Executor({ store });
  const handle = await executor.execute(
    function hostile() {
      throw Object.assign(new Error(HOSTILE), { name: HOSTILE, [HOSTILE]: HOSTILE });
    },
    { id: HOSTILE, input: { [HOSTILE]: HOSTILE } as never, labels: { [HOSTILE]: HOSTILE } },
  );
  await handle.result().catch(() => {});
  await executor.close();
  await store.close();
  const db = files.at("orders.db");
  for (
    const args of [
      ["list", db],
      ["list", db, "--json"],
      ["show", db, HOSTILE],
      ["show", db, HOSTILE, "--json", "--events"],
      ["watch", db, HOSTILE],
      ["diff", db, HOSTILE, "order-1"],
      ["replay", db, "--code", code],
      ["query", db, HOSTILE, HOSTILE, "--code", code],
      ["show", db, `x${HOSTILE}`],
      [HOSTILE],
      ["list", HOSTILE],
      ["list", db, `--${HOSTILE}`],
    ]
  ) {
    const { out, error } = await shell(args);
    // deno-lint-ignore no-control-regex -- that is what is looked for
    assertEquals(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/.exec(out + error), null, args.join(" "));
    assert(lines(error).length <= 1, error);
  }
  assertEquals(records((await shell(["list", db, "--json", "--limit", "1"])).out)[0].id, HOSTILE);
});

cliTest("main(show) shows the timeline, the input, and how the run ended", async (files) => {
  const { out } = await shell(["show", files.at("orders.db"), "order-3"]);
  assertStringIncludes(out, 'order "order-3" failed after 0 ms, 5 events');
  assertStringIncludes(out, "labels   region=eu");
  assertStringIncludes(out, "cents: 1500");
  assertStringIncludes(out, "error    RangeError: Declined: 1500");
  assertStringIncludes((await shell(["show", files.at("orders.snapshot"), "order-1"])).out, 'paid: "charged 500"');
  const waiting = await shell(["show", files.at("orders.db"), "order-2"]);
  assertStringIncludes(waiting.out, "running for 1 d 1 h");
  assertStringIncludes(waiting.out, "waits for  signal approval, deadline in 5 d 23 h");
});

cliTest("main(show --at) shows a run as of an event", async (files) => {
  const { out } = await shell(["show", files.at("orders.db"), "order-1", "--at", "3", "--json"]);
  const [{ status, events, result }] = records(out);
  assertEquals([status, events, result], ["running", 3, undefined]);
  const { code, error } = await shell(["show", files.at("orders.db"), "order-1", "--at", "8"]);
  assertEquals([code, error], [2, '--at must be a whole number from 1 to 7, got "8"\n']);
});

cliTest("main() finds a run by the beginning of its ID, and the latest one", async (files) => {
  const idOf = async (id: string) => records((await shell(["show", files.at("orders.db"), id, "--json"])).out)[0].id;
  assertEquals(await idOf("latest"), "order-3");
  assertEquals(await idOf("order-2"), "order-2");
  const several = await shell(["show", files.at("orders.db"), "order"]);
  assertEquals([several.code, several.error], [
    2,
    '"order" is the beginning of several IDs: "order-3", "order-2", "order-1"\n',
  ]);
  const none = await shell(["show", files.at("orders.db"), "x"]);
  assertEquals([none.code, none.error.replace(files.path, "")], [
    1,
    'There is no run "x" in "/orders.db"; "list" shows them\n',
  ]);
});

cliTest("main(query) answers as it is, as of an event, and over an inspector", async (files) => {
  const ask = async (...args: string[]) => {
    const { code: exit, out, error } = await shell(["query", ...args, "--code", code]);
    return exit === 0 ? out.trimEnd() : `${exit} ${error.trimEnd()}`;
  };
  const db = files.at("orders.db");
  assertEquals(await ask(db, "order-1", "step"), '"approved"');
  assertEquals(await ask(db, "order-1", "step", "is ", "--at", "1"), '"is new"');
  assertEquals(await ask(db, "order-1", "step", "--at", "4", "--json"), '"charged"');
  assertEquals(await ask(files.at("order-1.history"), "latest", "step", "--at", "4"), '"charged"');
  assertEquals(JSON.parse(await ask(db, "order-2", "handlers", "--json")), {
    queries: ["step"],
    updates: ["address"],
    signals: ["approval"],
  });
  assertEquals(
    await ask(db, "order-1", "nothing"),
    '1 Cannot query workflow "order-1": it has no handler for "nothing"; it has "step"',
  );
  const store = InMemoryStore.restore(await Deno.readTextFile(files.at("orders.snapshot")));
  await withInspector({ store }, async (url) => assertEquals(await ask(url, "order-2", "step"), '"charged"'));
  assertEquals(
    await shell(["query", db, "order-1", "step"]),
    { code: 2, out: "", error: '"query" needs --code FILE: the module that exports the workflows\n' },
  );
});

cliTest("main(replay) says of each run whether the code fits, and which path no history takes", async (files) => {
  const same = await shell(["replay", files.at("orders.db"), "--code", code]);
  assertEquals([same.code, lines(same.out)], [0, [
    "same              order-3",
    "same              order-2",
    "same              order-1",
    'patched("new-tax"): no history takes the old path',
    "3 same",
  ]]);
});

cliTest(
  "main(replay) counts the paths of all runs, and has no code for a run named toString",
  async (files) => {
    const store = await SqliteStore.open(files.at("orders.db"));
    const executor = new Executor({ store });
    const charge = (cents: number) => `charged ${cents}`;
    async function order(ctx: WorkflowContext, { cents }: { cents: number }) {
      const paid = await ctx.executeActivity(charge, cents);
      return { paid, by: await ctx.waitForSignal("approval", { timeoutMs: 7 * 86_400_000 }) };
    }
    const handle = await executor.execute(order, { id: "order-0", input: { cents: 1 } });
    await handle.signal("approval", "Ada");
    await handle.result();
    await (await executor.execute(function toString() {}, { id: "odd" })).result();
    await executor.close();
    await store.close();
    const { code: exit, out } = await shell(["replay", files.at("orders.db"), "--code", code]);
    assertEquals([exit, lines(out)], [0, [
      "no code           odd",
      '  no workflow "toString" in the module',
      "same              order-0",
      "same              order-3",
      "same              order-2",
      "same              order-1",
      "1 no code, 4 same",
    ]]);
  },
);

/** A module that exports a changed workflow as `order`. */
async function changedCode(files: CliFiles, how: string): Promise<string> {
  const path = files.at(`${how}.ts`);
  await Deno.writeTextFile(
    path,
    `import { changes } from "${new URL(`file://${changed}`)}";\nexport const order = changes.${how};\n`,
  );
  return path;
}

cliTest("main(replay) fails if a run diverges, with the likely edit", async (files) => {
  const inserted = await changedCode(files, "inserted");
  const { code: exit, out } = await shell(["replay", files.at("orders.db"), "--code", inserted]);
  assertEquals(exit, 1);
  assertStringIncludes(out, "diverges          order-2\n");
  assertStringIncludes(out, 'activity "reserve" was inserted');
  const json = await shell(["replay", files.at("order-1.history"), "--code", inserted, "--json"]);
  assertEquals([json.code, records(json.out)[0].verdict], [1, "diverges"]);
});

cliTest("main(replay) fails for a changed argument only with --inputs", async (files) => {
  const argument = await changedCode(files, "argument");
  const args = ["replay", files.at("orders.db"), "order-2", "--code", argument];
  const { code: exit, out } = await shell(args);
  assertEquals(exit, 0);
  assertStringIncludes(out, "argument changed  order-2\n");
  assertStringIncludes(out, 'activity "charge", input: 701');
  assertEquals((await shell([...args, "--inputs"])).code, 1);
});

cliTest("main(replay) fails if it has replayed nothing", async (files) => {
  const other = files.at("other.ts");
  await Deno.writeTextFile(other, "export const another = () => 1;\n");
  const { code: exit, error } = await shell(["replay", files.at("orders.db"), "--code", other]);
  assertEquals(exit, 1);
  assertStringIncludes(error, "No run was replayed: ");
  await Deno.writeTextFile(files.at("empty.ts"), "export const x = 1;\n");
  const empty = await shell(["replay", files.at("orders.db"), "--code", files.at("empty.ts")]);
  assertStringIncludes(empty.error, "it exports no function");
  const missing = await shell(["replay", files.at("orders.db"), "--code", files.at("missing.ts")]);
  assertEquals([missing.code, lines(missing.error).length], [1, 1]);
});

cliTest("main(export) draws a run that goes on up to now, as it shows it", async (files) => {
  for (const file of ["orders.db", "orders.snapshot"]) {
    const shown = await shell(["show", files.at(file), "order-2", "--events"]);
    const { out } = await shell(["export", files.at(file), "order-2", "--as", "text"]);
    assertMatch(out, /^order "order-2" running for 1 d 1 h, /);
    assertEquals(shown.out.startsWith(out), true, out);
    const { out: gantt } = await shell(["export", files.at(file), "order-2", "--as", "gantt"]);
    const { out: past } = await shell(["export", files.at(file), "order-2", "--as", "gantt", "--at", "3"]);
    assertEquals([gantt.includes("1 d 1 h"), past.includes("1 d 1 h")], [true, false], gantt);
  }
});

cliTest("main(export) writes each kind, to the output or to a file", async (files) => {
  const db = files.at("orders.db");
  const history = await shell(["export", db, "order-1", "--as", "history"]);
  assertEquals(historyFromText(history.out).workflowId, "order-1");
  const starts: Record<string, string> = {
    test: 'import assert from "node:assert/strict";',
    svg: "<svg",
    mermaid: "sequenceDiagram",
    gantt: "gantt",
    text: 'order "order-1" completed',
    json: "{",
  };
  for (const [kind, start] of Object.entries(starts)) {
    const { out, code } = await shell(["export", db, "order-1", "--as", kind]);
    assertEquals([code, out.includes(start), out.endsWith("\n")], [0, true, true], kind);
  }
  const file = files.at("out.svg");
  assertEquals(await shell(["export", db, "order-1", "--as", "svg", "-o", file]), { code: 0, out: "", error: "" });
  assertStringIncludes(await Deno.readTextFile(file), "<svg");
  const missing = await shell(["export", db, "order-1"]);
  assertEquals(missing.error, "--as must be one of history, test, svg, mermaid, gantt, text, json\n");
  const bad = await shell(["export", db, "order-1", "--as", "svg", "-o", files.at("no/folder")]);
  assertEquals([bad.code, bad.error.includes("there is no such file")], [1, true]);
});

cliTest("main(export --runner) chooses the test function that the test calls", async (files) => {
  const call = ["export", files.at("orders.db"), "order-1", "--as", "test"];
  assertStringIncludes((await shell(call)).out, "Deno.test(");
  const { out } = await shell([...call, "--runner", "node"]);
  assertEquals([out.includes('from "node:test"'), out.includes("Deno.")], [true, false]);
  const error = '--runner must be one of deno, node, got "jest"\n';
  assertEquals(await shell([...call, "--runner", "jest"]), { code: 2, out: "", error });
});

cliTest("main(diff) shows the first event that differs, and fails then", async (files) => {
  const { code: exit, out } = await shell(["diff", files.at("orders.db"), "order-1", "order-2"]);
  assertEquals(exit, 1);
  assertStringIncludes(out, "Event 1 holds other values\n- order-1");
  assertStringIncludes(out, "From event 6 on, the steps differ too");
  assertEquals(await shell(["diff", files.at("orders.db"), "order-1", "order-1"]), {
    code: 0,
    out: "No difference, apart from times\n",
    error: "",
  });
  const [json] = records((await shell(["diff", files.at("orders.db"), "order-1", "order-2", "--json"])).out);
  assertEquals([json.same, json.number, json.right.id], [false, 1, "order-2"]);
});

cliTest("main(signal) stores a signal in an SQLite file, once per ID", async (files) => {
  const db = files.at("orders.db");
  const args = ["signal", db, "order-2", "approval", '{"by":"Ada"}', "--message-id", "m-1"];
  assertEquals(await shell(args), { code: 0, out: 'Signaled "order-2"\n', error: "" });
  await shell(args);
  await shell(["signal", db, "order-2", "note", "just a text"]);
  await shell(["signal", db, "order-2", "note", "--", "-5"]);
  await using store = await SqliteStore.open(db);
  const { history } = (await store.load("order-2"))!;
  const signals = history.filter((event) => event.type === "signal_received");
  assertEquals(signals.map(({ payload }) => payload), [{ by: "Ada" }, "just a text", -5]);
  const ended = await shell(["signal", db, "order-1", "approval"]);
  assertEquals([ended.code, ended.error], [1, 'Cannot signal workflow "order-1": its status is "completed"\n']);
});

cliTest("main(fork) stores a second run in an SQLite file, and says what it repeats", async (files) => {
  const db = files.at("orders.db");
  const { code, out } = await shell(["fork", db, "order-1", "again", "--after", "1"]);
  assertEquals([code, lines(out).slice(0, 3)], [0, [
    'Forked "order-1" after event 1 as "again"',
    "it repeats: charge",
    "messages that it does not get: signal approval",
  ]]);
  const store = await SqliteStore.open(db);
  const executor = new Executor({ store, workflows: { order } });
  await executor.recover();
  await executor.signal("again", "approval", "Ada");
  const handle = await executor.handle("again");
  assertEquals(await handle.result(), (await store.load("order-1"))!.result);
  await executor.close();
  await store.close();
  const taken = await shell(["fork", db, "order-1", "again", "--after", "1"]);
  assertEquals([taken.code, taken.error], [1, 'There is a workflow "again" already\n']);
  const none = await shell(["fork", db, "order-1", "b"]);
  assertEquals([none.code, none.error.startsWith('"fork" needs --after N')], [2, true]);
  const late = await shell(["fork", db, "order-1", "b", "--after", "700"]);
  assertEquals([late.code, late.error.startsWith("--after must be a whole number from 1 to ")], [2, true]);
});

cliTest(
  "main(fork) is refused where a child is open, unless --children says what becomes of it; it names each message",
  async (files) => {
    const db = files.at("children.db");
    const work = async (ctx: WorkflowContext) => void await ctx.waitForSignal("go");
    const parent = async (ctx: WorkflowContext) => {
      ctx.handleUpdate("pay", () => {});
      await ctx.executeChild(work);
    };
    const store = await SqliteStore.open(db);
    const executor = new Executor({ store, workflows: { parent, work } });
    const handle = await executor.execute(parent, { id: "p" });
    await executor.update("p", "pay");
    await executor.cancel("p");
    await handle.result().catch(() => {});
    const after = `${(await store.load("p"))!.history.findIndex(({ type }) => type === "child_started") + 1}`;
    await executor.close();
    await store.close();
    const refused = await shell(["fork", db, "p", "q", "--after", after]);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.error, 'child "work" is open there');
    assertStringIncludes(refused.error, 'or pass "repeat" or "cancel" as "children"');
    const { code, out } = await shell(["fork", db, "p", "q", "--after", after, "--children", "repeat"]);
    assertEquals([code, lines(out).slice(1, 3)], [0, [
      "it repeats: work",
      "messages that it does not get: update pay, the cancellation",
    ]]);
    const other = await shell(["fork", db, "p", "r", "--after", after, "--children", "keep"]);
    assertEquals([other.code, other.error], [2, '--children must be repeat or cancel, got "keep"\n']);
  },
);

cliTest("main(cancel) and main(terminate) end runs in an SQLite file", async (files) => {
  const db = files.at("orders.db");
  assertEquals((await shell(["cancel", db, "order-2", "--reason", "no paper"])).out, 'Asked to end "order-2"\n');
  assertEquals((await shell(["terminate", db, "order-2"])).out, 'Terminated "order-2"\n');
  await using store = await SqliteStore.open(db);
  const { status, history } = (await store.load("order-2"))!;
  const request = history.find((event) => event.type === "cancel_requested");
  assertEquals([status, request?.reason], ["canceled", "no paper"]);
});

cliTest("main(update) prints the answer of the executor that runs the workflow", async (files) => {
  const db = files.at("orders.db");
  const store = await SqliteStore.open(db, { pollMs: 5 });
  const executor = new Executor({ store, workflows: { order } });
  await executor.recover();
  assertEquals(await shell(["update", db, "order-2", "address", "Lisbon"]), {
    code: 0,
    out: '"sent to Lisbon"\n',
    error: "",
  });
  await executor.close();
  await store.close();
  const late = await shell(["update", db, "order-2", "address", "Porto", "--timeout", "20ms"]);
  assertEquals(late.code, 1);
  assertStringIncludes(late.error, 'Workflow "order-2" has not answered within 0.02 s');
});

cliTest("main(update) stores an update once per ID", async (files) => {
  const args = [
    "update",
    files.at("orders.db"),
    "order-2",
    "address",
    "Porto",
    "--timeout",
    "20ms",
    "--message-id",
    "m-1",
  ];
  for (let i = 0; i < 2; i++) assertEquals((await shell(args)).code, 1);
  const store = await SqliteStore.open(files.at("orders.db"), { readOnly: true });
  const { history } = (await store.load("order-2"))!;
  await store.close();
  const updates = history.flatMap((event) => "updateId" in event ? [[event.type, event.updateId]] : []);
  assertEquals(updates, [["update_requested", "m-1"]]);
});

cliTest("main() refuses to update a copy, and to write a copy of what is acted on in its place", async (files) => {
  const [db, snapshot, copy] = [files.at("orders.db"), files.at("orders.snapshot"), files.at("new.snapshot")];
  const updated = await shell(["update", snapshot, "order-2", "address", "Porto"]);
  assertEquals([updated.code, updated.error.includes("no executor runs it")], [2, true]);
  const signaled = await shell(["signal", db, "order-2", "approval", "-o", copy]);
  assertEquals(signaled, { code: 2, out: "", error: "-o is for snapshots and history files\n" });
  const store = await SqliteStore.open(db, { readOnly: true });
  assertEquals((await store.load("order-2"))!.history.length, 5);
  await store.close();
});

cliTest("main() writes a changed copy of a snapshot or a history file", async (files) => {
  const snapshot = files.at("orders.snapshot");
  const before = await Deno.readTextFile(snapshot);
  const refused = await shell(["signal", snapshot, "order-2", "approval"]);
  assertEquals([refused.code, refused.error.includes("with -o NEW")], [2, true]);
  const copy = files.at("new.snapshot");
  assertEquals((await shell(["signal", snapshot, "order-2", "approval", "-o", copy])).code, 0);
  assertEquals(await Deno.readTextFile(snapshot), before);
  const state = await InMemoryStore.restore(await Deno.readTextFile(copy)).load("order-2");
  assertEquals(state?.history.at(-1)?.type, "signal_received");
  const history = files.at("order-2.history");
  await shell(["export", snapshot, "order-2", "--as", "history", "-o", history]);
  await shell(["terminate", history, "latest", "-o", files.at("ended.history")]);
  assertEquals(historyFromText(await Deno.readTextFile(files.at("ended.history"))).status, "canceled");
});

cliTest("main() acts through an inspector that allows it", async (files) => {
  const store = InMemoryStore.restore(await Deno.readTextFile(files.at("orders.snapshot")));
  const executor = new Executor({ store, workflows: { order } });
  await executor.recover();
  await withInspector({ store, executor, actions: true }, async (url) => {
    assertEquals((await shell(["update", url, "order-2", "address", "Faro"])).out, '"sent to Faro"\n');
    const signaled = await shell(["signal", url, "order-2", "note", "{}"]);
    assertEquals(signaled, { code: 0, out: 'Signaled "order-2"\n', error: "" });
    const last = (await store.load("order-2"))!.history.at(-1) as WorkflowEvent & { payload?: unknown };
    assertEquals([last.type, last.payload], ["signal_received", {}]);
    const withId = await shell(["signal", url, "order-2", "note", "--message-id", "m-1"]);
    assertEquals([withId.code, withId.error.includes("--message-id is for SQLite files")], [2, true]);
    assertEquals((await shell(["cancel", url, "order-2", "--reason", "no paper"])).code, 0);
    const request = (await store.load("order-2"))!.history.find(({ type }) => type === "cancel_requested");
    assertEquals((request as WorkflowEvent & { reason?: unknown }).reason, "no paper");
    const ended = await shell(["cancel", url, "order-1"]);
    assertEquals([ended.code, ended.error], [1, 'Cannot cancel workflow "order-1": its status is "completed"\n']);
  });
  await withInspector({ store }, async (url) => {
    const { code: exit, error } = await shell(["cancel", url, "order-2"]);
    assertEquals([exit, error.includes("only shows workflows")], [2, true]);
  });
  await executor.close();
});

cliTest("main() over an inspector sees what it redacts, and nothing without its permission", async (files) => {
  const store = InMemoryStore.restore(await Deno.readTextFile(files.at("orders.snapshot")));
  const redact = (value: unknown, { property }: { property: string }) => property === "input" ? "hidden" : value;
  await withInspector({ store, redact }, async (url) => {
    const { out } = await shell(["show", url, "order-1", "--json", "--events"]);
    assert(out.includes('"input":"hidden"') && !out.includes("500}"), out);
    assert(!(await shell(["list", url, "--json"])).out.includes("cents"));
  });
  await withInspector({ store, authorize: () => false }, async (url) => {
    const { code: exit, error } = await shell(["list", url]);
    assertEquals([exit, error], [1, `Cannot read "${url}": it answers 403\n`]);
  });
  await withInspector({ store }, async (url) => {
    assertEquals((await shell(["show", url, "nobody"])).code, 1);
  });
});

cliTest("main(watch) prints the events of a run, and ends with it", async (files) => {
  const { code: exit, out } = await shell(["watch", files.at("orders.db"), "order-1"]);
  assertEquals([exit, lines(out).length], [0, 7]);
  assertStringIncludes(out, '6  +02:00:00.000  signal received approval  "Ada"');
  assertEquals((await shell(["watch", files.at("orders.db"), "order-3"])).code, 1);
  const { code: refused, error } = await shell(["watch", files.at("orders.snapshot"), "order-2"]);
  assertEquals([refused, error.includes("a snapshot does not change")], [2, true]);
  const interrupted = await shell(["watch", files.at("orders.db")], { signal: AbortSignal.abort() });
  assertEquals(interrupted, { code: 0, out: "", error: "" });
});

cliTest("main(watch) without an ID prints what happens to any run, also to an old one", async (files) => {
  const db = files.at("orders.db");
  const abort = new AbortController();
  const seen: string[] = [];
  const { main } = await import("./mod.ts");
  const watching = main(["watch", db], {
    out: (text) => void seen.push(text),
    error: (text) => void seen.push(text),
    signal: abort.signal,
  });
  while (seen.length === 0) await shell(["signal", db, "order-2", "note"]);
  abort.abort();
  assertEquals(await watching, 0);
  assert(/^order-2 +\d+ {2}\+.* {2}signal received note\n$/.test(seen[0]), seen[0]);
});

cliTest("main() sends the user and the password of a URL, and prints no password", async (files) => {
  const store = InMemoryStore.restore(await Deno.readTextFile(files.at("orders.snapshot")));
  const authorize = ({ headers }: Request) => headers.get("authorization") === `Basic ${btoa("ada:se cret")}`;
  await withInspector({ store, authorize }, async (url) => {
    const known = url.replace("//", "//ada:se%20cret@");
    assertEquals((await shell(["list", known, "--json"])).out.trimEnd().split("\n").length, 3);
    const { code: exit, error } = await shell(["show", known, "nobody"]);
    assertEquals([exit, error], [1, `There is no run "nobody" in "${url}"; "list" shows them\n`]);
  });
});

cliTest("main(watch) follows an inspector", async (files) => {
  const store = InMemoryStore.restore(await Deno.readTextFile(files.at("orders.snapshot")));
  const executor = new Executor({ store });
  await withInspector({ store }, async (url) => {
    const watching = shell(["watch", url, "order-2"]);
    await executor.terminate("order-2", "enough");
    const { code: exit, out } = await watching;
    assertEquals(exit, 1);
    assertStringIncludes(out, "workflow canceled");
  });
  await executor.close();
});

cliTest("main(inspect) says what a file is, how many runs it holds, and what is damaged", async (files) => {
  const of = async (name: string) => {
    const { code, out } = await shell(["inspect", files.at(name), "--json"]);
    const { kind, runs, events, faults } = records(out)[0];
    return [code, kind, runs, events, faults.length];
  };
  assertEquals(await of("orders.db"), [0, "sqlite", 3, 17, 0]);
  assertEquals(await of("orders.snapshot"), [0, "snapshot", 3, 17, 0]);
  assertEquals(await of("order-1.history"), [0, "history", 1, 7, 0]);
  const text = await Deno.readTextFile(files.at("orders.snapshot"));
  await Deno.writeTextFile(files.at("cut.snapshot"), text.slice(0, -100));
  assertEquals(await of("cut.snapshot"), [1, "snapshot", 0, 0, 1]);
  await Deno.writeTextFile(files.at("other.txt"), "hello");
  assertEquals(await of("other.txt"), [1, null, 0, 0, 0]);
  const bytes = await Deno.readFile(files.at("orders.db"));
  bytes.fill(0xff, 4096 * 2, 4096 * 6);
  await Deno.writeFile(files.at("bad.db"), bytes);
  const [exit, kind, , , faults] = await of("bad.db");
  assertEquals([exit, kind, faults > 0], [1, "sqlite", true]);
  assertStringIncludes((await shell(["inspect", files.at("orders.db")])).out, "3: 1 failed, 1 running, 1 completed");
});

/** Serves a file, and returns the page of a query. */
async function servedPage(file: string, query: string): Promise<string> {
  const abort = new AbortController();
  const pages: string[] = [];
  const { main } = await import("./mod.ts");
  const code = await main(["serve", file, "--port", "0"], {
    out(text) {
      const url = /http:\S+\//.exec(text)?.[0] ?? "";
      void fetch(url + query).then((response) => response.text()).then((page) => {
        pages.push(page);
        abort.abort();
      });
    },
    error: (text) => pages.push(text),
    signal: abort.signal,
  });
  assertEquals(code, 0);
  return pages.join();
}

cliTest("main(serve) shows a file until it is interrupted", async (files) => {
  const page = await servedPage(files.at("orders.db"), "?id=order-1");
  assertStringIncludes(page, "order-1");
  assertEquals([page.includes("data-live"), page.includes("not live")], [true, false]);
  const bad = await shell(["serve", files.at("orders.snapshot"), "--actions"]);
  assertEquals([bad.code, bad.error.includes("does not change")], [2, true]);
});

cliTest("main(serve) says of a snapshot that it does not change", async (files) => {
  const page = await servedPage(files.at("orders.snapshot"), "");
  assertEquals([page.includes("data-live"), page.includes("not live"), page.includes("data-poll")], [
    false,
    true,
    false,
  ]);
});

Deno.test("main() answers a wrong use by one line and exit code 2", async () => {
  const cases: [string[], string][] = [
    [[], "No command was given; the commands are list, show"],
    [["lst"], 'There is no command "lst"; the commands are list, show'],
    [["list"], '"list" needs SOURCE: list SOURCE [--status …]'],
    [["list", "a", "b"], '"list" takes no argument "b": list SOURCE'],
    [["list", "a", "--code", "x"], '"list" has no flag --code: list SOURCE'],
    [["list", "a", "--nonsense"], "Unknown option '--nonsense'"],
    [["list", "a", "-5"], 'an argument that begins with "-" comes after "--"'],
    [["list", "ftp//"], 'Cannot read "ftp//": there is no such file'],
    [["fork", "a", "b"], '"fork" needs NEW: fork SOURCE ID NEW'],
    [["list", new URL(import.meta.url).pathname], "it is no SQLite file, snapshot or history file"],
    [["list", "http://127.0.0.1:1/"], 'Cannot reach "http://127.0.0.1:1/"'],
  ];
  for (const [args, message] of cases) {
    const { code, out, error } = await shell(args);
    assertEquals([code > 0, out, lines(error).length], [true, "", 1], `${args}: ${error}`);
    assertStringIncludes(error, message);
    assert(!/\n\s+at /.test(error));
  }
});

Deno.test("main(--help) names every command, and COMMAND --help its flags", async () => {
  const { code, out } = await shell(["--help"]);
  assertEquals(code, 0);
  for (const name of ["list", "show", "watch", "query", "replay", "export", "diff", "signal", "serve", "inspect"]) {
    assertStringIncludes(out, `  ${name} `);
  }
  assertStringIncludes((await shell(["replay", "--help"])).out, "--code");
  assertEquals((await shell(["help", "list"])).out, (await shell(["list", "--help"])).out);
});

cliTest("main() refuses to write over the file that it reads, also under another name", async (files) => {
  const names = ["orders.db", "orders.snapshot", "order-1.history"];
  for (const name of names) {
    const file = files.at(name);
    const before = await Deno.readFile(file);
    const alias = `${file}.link`;
    await Deno.symlink(file, alias);
    for (const target of [file, alias]) {
      const args = [["export", file, "order-1", "--as", "svg"]];
      if (name === "orders.snapshot") {
        args.push(["cancel", file, "order-2"], ["fork", file, "order-1", "new", "--after", "1"]);
      }
      for (const command of args) {
        const { code, error } = await shell([...command, "-o", target]);
        assertEquals(code, 2, error);
        assertStringIncludes(error, "it is the file that is read; name another one");
      }
    }
    assertEquals(await Deno.readFile(file), before);
  }
});

cliTest("main() makes no tables in an SQLite file that is no store when a command writes", async (files) => {
  const { DatabaseSync } = await import("node:sqlite");
  const file = files.at("foreign.db");
  const db = new DatabaseSync(file);
  db.exec("CREATE TABLE customers (name TEXT)");
  const { code, error } = await shell(["signal", file, "order-2", "approval"]);
  assertEquals(code, 1);
  assertStringIncludes(error, "it has no tables of a store; a store that opens it to write makes them");
  assertEquals(db.prepare("SELECT name FROM sqlite_schema").all().map(({ name }) => name), ["customers"]);
  db.close();
});

cliTest("main() says that another process holds a lock when a command cannot write", async (files) => {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(files.at("orders.db"));
  db.exec("BEGIN IMMEDIATE");
  const { code, error } = await shell(["signal", files.at("orders.db"), "order-2", "approval"]);
  assertEquals([code, lines(error).length], [1, 1]);
  assertStringIncludes(error, "another process holds a lock for too long: database is locked");
  db.close();
});

Deno.test("main() names the URL of an inspector without its password when it cannot be read", async () => {
  const cases = [
    ["list", "http://u%:secret@127.0.0.1:1/", 'Cannot read "http://127.0.0.1:1/": "%" in a name or password is "%25"'],
    ["list", "http://u:secret/@127.0.0.1/", 'Cannot read "http://127.0.0.1/": it is no URL'],
    ["list", "http://u:secret@127.0.0.1:x/", 'Cannot read "http://127.0.0.1:x/": it is no URL'],
    ["inspect", "http://u:secret@127.0.0.1:1/", 'Cannot inspect "http://127.0.0.1:1/": it is no file'],
  ];
  for (const [command, url, message] of cases) {
    const { code, error } = await shell([command, url]);
    assertEquals([code, error.includes("secret")], [2, false], error);
    assertStringIncludes(error, message);
  }
});

cliTest("main() ends any command with exit code 130 when it is interrupted", async (files) => {
  const abort = new AbortController();
  const held = Promise.withResolvers<Response>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    abort.abort();
    return held.promise;
  });
  try {
    const ended = await shell(["list", `http://127.0.0.1:${server.addr.port}/`], { signal: abort.signal });
    assertEquals(ended, { code: 130, out: "", error: "Interrupted\n" });
  } finally {
    held.resolve(new Response());
    await server.shutdown();
  }
  assertEquals((await shell(["list", files.at("orders.db")], { signal: new AbortController().signal })).code, 0);
});

cliTest("main() reads a snapshot and a history that an editor has saved with a byte order mark", async (files) => {
  for (const name of ["orders.snapshot", "order-1.history"]) {
    await Deno.writeTextFile(files.at(name), `\ufeff${await Deno.readTextFile(files.at(name))}`);
    const { code, error } = await shell(["show", files.at(name), "order-1"]);
    assertEquals([code, error], [0, ""]);
  }
});
