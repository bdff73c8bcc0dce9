/** A store as a text: its form, exact round trips, and the refusal of damaged, newer and hostile texts. */

import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { WorkflowError, type WorkflowState } from "@rockpool/workflow";
import { readSnapshot, type StoredWorkflow, writeSnapshot } from "./snapshot.ts";
import { toStored } from "../history/value.ts";

// deno-lint-ignore no-explicit-any
type Anything = any;

/** A stored state with additional `fields`. */
function state(fields: Partial<WorkflowState> = {}): WorkflowState {
  const whole = { workflowId: "a", runId: "r", workflowName: "w", status: "running", history: [], createdAt: 1 };
  return toStored({ ...whole, updatedAt: 2, ...fields }, "state") as WorkflowState;
}

const started = (input?: unknown) => ({ type: "workflow_started", at: 1, workflowName: "w", input }) as const;

/** A small store that uses every part of the format. */
function sample(): StoredWorkflow[] {
  const input = { n: 1, due: new Date(5) };
  return [
    { place: 0, state: state({ workflowId: "order-1", input, history: [started(input)] }) },
    { place: 4, finish: { at: 7.5, rank: 1 }, state: state({ workflowId: "é\n", status: "completed", result: NaN }) },
    { place: 2, finish: { at: -1, rank: 0 }, state: state({ status: "failed", error: { name: "E", message: "m" } }) },
  ];
}

/** The text without its checksum, as after an edit by hand. */
const unsealed = (text: string) => text.replace(/,"checksum":"\w*"/, "");

/** A text with an edited part and without its checksum. */
function edited(edit: (snapshot: Anything) => void, workflows = sample()): string {
  const snapshot = JSON.parse(writeSnapshot(workflows, 5));
  delete snapshot.checksum;
  edit(snapshot);
  return JSON.stringify(snapshot);
}

/** Checks that the text is refused, and returns the message. */
function refusal(text: string): string {
  const error = assertThrows(() => readSnapshot(text), WorkflowError);
  assertEquals(error.code, "invalid_snapshot");
  assertInstanceOf(error.cause, Error);
  return error.message;
}

Deno.test("writeSnapshot() writes the format, its version, and one line per workflow", () => {
  const lines = writeSnapshot(sample(), 5).split("\n");
  assertEquals(
    lines,
    [
      '{"format":"rockpool-store","version":1,"nextPlace":5,"workflows":[',
      '{"place":0,"state":{"workflowId":"order-1","runId":"r","workflowName":"w","status":"running",' +
      '"history":[{"type":"workflow_started","at":1,"workflowName":"w",' +
      '"input":{"n":1,"due":{"$":"Date","value":"1970-01-01T00:00:00.005Z"}}}],' +
      '"createdAt":1,"updatedAt":2,"input":{"$":"ref","value":3}}},',
      '{"place":4,"finish":{"at":7.5,"rank":1},"state":{"workflowId":"é\\n","runId":"r","workflowName":"w",' +
      '"status":"completed","history":[],"createdAt":1,"updatedAt":2,"result":{"$":"number","value":"NaN"}}},',
      '{"place":2,"finish":{"at":-1,"rank":0},"state":{"workflowId":"a","runId":"r","workflowName":"w",' +
      '"status":"failed","history":[],"createdAt":1,"updatedAt":2,"error":{"name":"E","message":"m"}}}',
      '],"checksum":"42d396bd725239ab"}',
    ],
  );
});

Deno.test("readSnapshot() reads a text of the first version", () => {
  const text = '{"format":"rockpool-store","version":1,"nextPlace":2,"workflows":[\n' +
    '{"place":1,"state":{"workflowId":"a","runId":"r","workflowName":"w","status":"running","history":[],' +
    '"createdAt":1,"updatedAt":2,"input":{"$":"Map","value":[["k",{"$":"undefined"}]]}}}\n' +
    '],"checksum":"0cf695125eafb11e"}';
  const { workflows, nextPlace } = readSnapshot(text);
  assertEquals(workflows, [{ place: 1, state: state({ input: new Map([["k", undefined]]) }) }]);
  assertEquals(nextPlace, 2);
});

Deno.test("readSnapshot() returns the written workflows in order of creation", () => {
  const workflows = sample();
  const read = readSnapshot(writeSnapshot(workflows, 5));
  assertEquals(read, { workflows: [workflows[0], workflows[2], workflows[1]], nextPlace: 5 });
  assertEquals(read.workflows.map((workflow) => Object.keys(workflow)), [
    ["state", "place"],
    ["state", "place", "finish"],
    ["state", "place", "finish"],
  ]);
});

Deno.test("readSnapshot() returns no workflows for an empty store", () => {
  assertEquals(readSnapshot(writeSnapshot([], 0)), { workflows: [], nextPlace: 0 });
  assertEquals(readSnapshot(writeSnapshot(new Set<never>(), 7)), { workflows: [], nextPlace: 7 });
});

Deno.test("readSnapshot() keeps values shared within a workflow, and shares nothing between workflows", () => {
  const text = writeSnapshot(sample().map((one, i) => ({ ...one, place: i, state: state({ ...one.state }) })), 5);
  const [{ state: { input, history } }] = readSnapshot(text).workflows;
  assertStrictEquals((history[0] as Anything).input, input);
  const twins = [0, 1].map((place) => ({ place, state: { ...sample()[0].state, workflowId: `${place}` } }));
  const [a, b] = readSnapshot(writeSnapshot(twins, 2)).workflows as Anything;
  assertStrictEquals(a.state.input === b.state.input, false);
  assertStrictEquals(a.state.input.due === b.state.input.due, false);
});

Deno.test("readSnapshot() returns deeply frozen states", () => {
  const [{ state }] = readSnapshot(writeSnapshot(sample(), 5)).workflows;
  for (const part of [state, state.history, state.history[0], state.input]) assert(Object.isFrozen(part));
});

Deno.test("readSnapshot() returns new values each time", () => {
  const text = writeSnapshot(sample(), 5);
  const [a, b] = [readSnapshot(text), readSnapshot(text)] as Anything[];
  a.workflows[0].state.input.due.setTime(6);
  assertEquals(b.workflows[0].state.input.due, new Date(5));
});

Deno.test("readSnapshot() accepts unknown fields of a state", () => {
  const more = [{ place: 0, state: state({ more: [1n] } as Anything) }];
  assertEquals(readSnapshot(writeSnapshot(more, 1)).workflows, more);
});

Deno.test("writeSnapshot() throws when a value cannot be written, and names the workflow and the value", () => {
  const history = [started(), started(), started(), {
    type: "signal_received",
    at: 1,
    name: "s",
    signalId: "1",
    payload: { file: new Blob(["a"]) },
  }] as const;
  const error = assertThrows(() => writeSnapshot([{ place: 0, state: state({ history }) }], 1), TypeError);
  assertEquals(
    error.message,
    'Cannot snapshot workflow "a": a Blob at history[3].payload.file cannot be written as text',
  );
});

Deno.test("readSnapshot() accepts a text that was reformatted", () => {
  const text = writeSnapshot(sample(), 5);
  for (const other of [JSON.stringify(JSON.parse(text), null, 2), text.replaceAll("\n", ""), `\n${text}\n`]) {
    assertEquals(readSnapshot(other), readSnapshot(text));
  }
});

Deno.test("readSnapshot() accepts an edited text without a checksum", () => {
  const text = writeSnapshot(sample(), 5).replace('"n":1', '"n":2');
  assertEquals((readSnapshot(unsealed(text)).workflows[0].state.input as Anything).n, 2);
  assertEquals(
    refusal(text),
    'Cannot restore a store: the text was changed or damaged; if you edited it on purpose, remove "checksum"',
  );
});

Deno.test("readSnapshot() refuses a text that was cut off, at every length", () => {
  const text = writeSnapshot(sample(), 5);
  for (let length = 1; length < text.length; length++) {
    const message = refusal(text.slice(0, length));
    assert(message.startsWith("Cannot restore a store: the text is cut off or no JSON: "), message);
    assert(!message.includes("\n"));
  }
});

Deno.test("readSnapshot() refuses every changed character, unless the meaning is the same", () => {
  const text = writeSnapshot(sample(), 5);
  let refused = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    for (const other of [code ^ 1, code ^ 2, code ^ 16, code ^ 32, code ^ 128, ...'0-"\\ ]}'].map(String)) {
      const changed = text.slice(0, i) + (/^\d\d+$/.test(other) ? String.fromCharCode(+other) : other) +
        text.slice(i + 1);
      if (changed === text) continue;
      try {
        assertEquals(writeSnapshot(readSnapshot(changed).workflows, 5), writeSnapshot(readSnapshot(text).workflows, 5));
      } catch (error) {
        if (!(error instanceof WorkflowError)) throw error;
        assertEquals(error.code, "invalid_snapshot");
        refused++;
      }
    }
  }
  assert(refused > 10 * text.length);
});

Deno.test("readSnapshot() refuses every swap of two adjacent characters in a string", () => {
  const input = Array.from({ length: 500 }, (_, i) => String.fromCharCode(32 + i * 7 % 90)).join("");
  const text = writeSnapshot([{ place: 0, state: state({ input }) }], 1);
  const at = text.indexOf('"input":"') + 9;
  for (let i = at; i < at + 400; i++) {
    if (text[i] === text[i + 1] || /["\\]/.test(text.slice(i - 1, i + 3))) continue;
    refusal(text.slice(0, i) + text[i + 1] + text[i] + text.slice(i + 2));
  }
});

for (const text of [undefined, null, 5, {}, ""]) {
  Deno.test(`readSnapshot() throws a TypeError when the text is ${JSON.stringify(text)}`, () => {
    const error = assertThrows(() => readSnapshot(text as Anything), TypeError);
    assert(error.message.startsWith('Cannot restore a store: "text" must be a non-empty string, got '));
  });
}

Deno.test("readSnapshot() reports invalid JSON on one line, although the parser quotes the text", () => {
  assertEquals(
    refusal("[\nnope]"),
    `Cannot restore a store: the text is cut off or no JSON: Unexpected token 'o', "[ nope]" is not valid JSON`,
  );
});

const noSnapshot: [text: string, message: string][] = [
  ["null", '"format" must be "rockpool-store", got undefined'],
  ["5", '"format" must be "rockpool-store", got undefined'],
  ['"rockpool-store"', '"format" must be "rockpool-store", got undefined'],
  ["[]", '"format" must be "rockpool-store", got undefined'],
  ['{"format":"other"}', '"format" must be "rockpool-store", got "other"'],
  ['{"format":"rockpool-store"}', '"version" must be 1, got undefined'],
  ['{"format":"rockpool-store","version":0}', '"version" must be 1, got 0'],
  ['{"format":"rockpool-store","version":"1"}', '"version" must be 1, got "1"'],
  ['{"format":"rockpool-store","version":{"toString":2,"valueOf":2}}', '"version" must be 1, got an Object'],
  [
    '{"format":"rockpool-store","version":2,"checksum":"of another kind"}',
    "the text has version 2, this release reads up to version 1: update @rockpool/workflow",
  ],
  ['{"format":"rockpool-store","version":1}', '"nextPlace" must be an integer from 0, got undefined'],
  ['{"format":"rockpool-store","version":1,"nextPlace":-1}', '"nextPlace" must be an integer from 0, got -1'],
  ['{"format":"rockpool-store","version":1,"nextPlace":1e999}', '"nextPlace" must be an integer from 0, got Infinity'],
  ['{"format":"rockpool-store","version":1,"nextPlace":0}', '"workflows" must be an array, got undefined'],
  [
    '{"format":"rockpool-store","version":1,"nextPlace":0,"workflows":{}}',
    '"workflows" must be an array, got an Object',
  ],
];

for (const [text, message] of noSnapshot) {
  Deno.test(`readSnapshot() refuses ${text}`, () => {
    assertEquals(refusal(text), `Cannot restore a store: ${message}`);
  });
}

const order = 'workflow 1 ("order-1")';
const faults: [edit: (workflows: Anything[]) => void, message: string][] = [
  [(all) => all[1] = null, 'workflow 2: "place" must be an integer from 0 below 5, got undefined'],
  [(all) => all[1] = [], 'workflow 2: "place" must be an integer from 0 below 5, got undefined'],
  [([one]) => one.place = 5, `${order}: "place" must be an integer from 0 below 5, got 5`],
  [([one]) => one.place = -1, `${order}: "place" must be an integer from 0 below 5, got -1`],
  [([one]) => one.place = 0.5, `${order}: "place" must be an integer from 0 below 5, got 0.5`],
  [([one]) => one.place = "0", `${order}: "place" must be an integer from 0 below 5, got "0"`],
  [(all) => all[2].place = 4, 'workflow 3 ("a"): "place" must be unique, got 4'],
  [([one]) => delete one.state, 'workflow 1: "state" must be an object, got undefined'],
  [([one]) => one.state = { $: "undefined" }, 'workflow 1: "state" must be an object, got undefined'],
  [([one]) => one.state = [], 'workflow 1: "workflowId" must be a non-empty string, got undefined'],
  [([one]) => one.state.workflowId = "", 'workflow 1 (""): "workflowId" must be a non-empty string, got ""'],
  [([one]) => one.state.workflowId = 5, 'workflow 1: "workflowId" must be a non-empty string, got 5'],
  [(all) => all[2].state.workflowId = "order-1", 'workflow 3 ("order-1"): "workflowId" must be unique, got "order-1"'],
  [([one]) => delete one.state.runId, `${order}: "runId" must be a string, got undefined`],
  [([one]) => one.state.labels = { n: 7 }, `${order}: "labels.n" must be a string, got 7`],
  [
    ([one]) => one.state.history[0].labels = [],
    `${order}, history[0]: "labels" must be an object of strings, got an Array`,
  ],
  [([one]) => one.state.workflowName = null, `${order}: "workflowName" must be a string, got null`],
  [
    ([one]) => one.state.status = "done",
    `${order}: "status" must be one of running, completed, failed, canceled, got "done"`,
  ],
  [([one]) => one.state.createdAt = "1", `${order}: "createdAt" must be a finite number, got "1"`],
  [
    ([one]) => one.state.updatedAt = { $: "number", value: "NaN" },
    `${order}: "updatedAt" must be a finite number, got NaN`,
  ],
  [
    ([one]) => Object.assign(one.state, { history: {}, input: 0 }),
    `${order}: "history" must be an array, got an Object`,
  ],
  [
    ([one]) => Object.assign(one.state, { history: [5], input: 0 }),
    `${order}, history[0]: "event" must be an object, got 5`,
  ],
  [([one]) => one.state.history[0].type = "no", `${order}, history[0]: "type" must be the type of an event, got "no"`],
  [([one]) => one.state.history[0].at = null, `${order}, history[0]: "at" must be a finite number, got null`],
  [
    ([one]) => Object.assign(one.state, { history: { $: "Array", value: { length: 1e6 } }, input: 0 }),
    `${order}, history[0]: "event" must be an object, got undefined`,
  ],
  [
    ([one]) => one.state.history[0].input.due.value = "soon",
    `${order}, history[0].input.due: "soon" is not a valid Date`,
  ],
  [([one]) => one.state.input.value = 99, `${order}, input: a reference to 99 has no target`],
  [([one]) => one.state.input.$ = "Blob", `${order}, input: the tag "Blob" is not known`],
  [
    ([one]) => one.finish = { at: 1, rank: 2 },
    `${order}: "finish" must be absent while it is running, got an Object`,
  ],
  [([, , one]) => delete one.finish, 'workflow 3 ("a"): "finish.at" must be a finite number, got undefined'],
  [([, , one]) => one.finish.at = "now", 'workflow 3 ("a"): "finish.at" must be a finite number, got "now"'],
  [([, , one]) => one.finish.rank = -1, 'workflow 3 ("a"): "finish.rank" must be an integer from 0, got -1'],
  [([, , one]) => one.finish.rank = 1, 'workflow 3 ("a"): "finish.rank" must be unique, got 1'],
];

for (const [edit, message] of faults) {
  Deno.test(`readSnapshot() throws "Cannot restore a store: ${message}"`, () => {
    assertEquals(refusal(edited(({ workflows }) => edit(workflows))), `Cannot restore a store: ${message}`);
  });
}

const deep = (open: string, close: string) => open.repeat(100_000) + "0" + close.repeat(100_000);
for (const value of [deep("[", "]"), deep('{"a":', "}"), deep('{"$":"Map","value":[[0,', "]]}")]) {
  Deno.test(`readSnapshot() refuses ${value.slice(0, 20)}… 100,000 levels deep`, () => {
    const text = unsealed(writeSnapshot(sample(), 5));
    assert(refusal(value).startsWith("Cannot restore a store: "));
    assert(refusal(text.replace('"n":1', `"n":${value}`)).startsWith("Cannot restore a store: "));
    assert(refusal(text.replace('"place":0', `"place":${value}`)).startsWith("Cannot restore a store: "));
  });
}

Deno.test("readSnapshot() keeps __proto__ as data", () => {
  const evil = '{"polluted":1,"__proto__":{"polluted":1}';
  const plain = unsealed(writeSnapshot(sample(), 5));
  for (const text of [plain.replace('"input":{', `"input":${evil},`), plain.replace("{", `${evil.slice(0, -1)}},`)]) {
    const { input } = readSnapshot(text).workflows[0].state;
    assertStrictEquals(Object.getPrototypeOf(input), Object.prototype);
    assertEquals((Object.prototype as Anything).polluted, undefined);
  }
});

/** Writes and reads a value. Returns the time, in milliseconds: the minimum of three. */
function snapshotMs(input: unknown): number {
  const workflows = [{ place: 0, state: state({ input }) }];
  const times = Array.from({ length: 3 }, () => {
    const before = performance.now();
    const [read] = readSnapshot(writeSnapshot(workflows, 1)).workflows;
    assertEquals((read.state.input as Anything).length, (input as Anything).length);
    return performance.now() - before;
  });
  return Math.min(...times);
}

const LARGE: Readonly<Record<string, (megabytes: number) => unknown>> = {
  string: (megabytes) => "é\0".repeat(megabytes * 5e5),
  buffer: (megabytes) => new Uint8Array(megabytes * 1e6),
};
for (const [what, make] of Object.entries(LARGE)) {
  // The time is linear. If it were quadratic, the factor would be 256.
  Deno.test(`writeSnapshot() and readSnapshot() take 16 times as long for 4 MB of ${what} as for a quarter of one`, () => {
    snapshotMs(make(0.25)); // warms up
    const [small, large] = [snapshotMs(make(0.25)), snapshotMs(make(4))];
    assert(large < 100 * small, `${large} ms and ${small} ms`);
  });
}
