/**
 * Runs of every kind for the tests of the inspector, in a store that the test chooses. All times are virtual, so the pages are the
 * same each time, except for the IDs of runs.
 *
 * @module
 */

import {
  type ActivityContext,
  Executor,
  NonRetryableError,
  VirtualClock,
  type WorkflowContext,
  type WorkflowStore,
} from "@rockpool/workflow";
import { macrotasks } from "../../support/executors.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** When the runs of the scenario begin. */
const START = Date.UTC(2026, 10, 26, 9);

/** Texts that mean something to HTML, URLs, headers, CSV, terminals or people. Each is an ID, an input, a label and an error. */
export const HOSTILE: readonly string[] = [
  `<script>globalThis.pwned=1;alert(1)</script>`,
  `<img src=x onerror="globalThis.pwned=1">`,
  `"><svg/onload=globalThis.pwned=1>`,
  `' onfocus='globalThis.pwned=1' autofocus tabindex='0`,
  `</title></style></textarea><h1>gone</h1>`,
  `javascript:globalThis.pwned=1`,
  `data:text/html,<script>globalThis.pwned=1</script>`,
  `//evil.example/x`,
  `https://evil.example/`,
  `..%2f..%2fetc/passwd`,
  `a&id=b#c?d=e+f%20g%`,
  `line\r\nSet-Cookie: pwned=1\r\n\r\n<p>body`,
  `null\u0000byte\u0007bell\u001b[31mred`,
  `\u202egnp.exe\u202c מוזמן مرحبا`,
  `🐙👩‍👩‍👧‍👦 в очереди 在庫`,
  `{{constructor.constructor('globalThis.pwned=1')()}} \${globalThis.pwned=1}`,
  `-->]]><!--`,
  `=cmd|' /C calc'!A0`,
  `__proto__`,
  `W`.repeat(10_000),
  `word `.repeat(60),
  ` leading and trailing `,
  `\ud800 lone surrogate`,
];

/** What the workflows of one scenario share. */
export class Scenario {
  readonly clock: VirtualClock = new VirtualClock({ startAt: START, autoAdvance: false });
  readonly executor: Executor;
  readonly store: WorkflowStore;
  readonly #workflows: ReturnType<typeof workflows>;

  /** @param store The store, empty. It should take its time from `clock`. */
  constructor(makeStore: (clock: VirtualClock) => WorkflowStore) {
    this.store = makeStore(this.clock);
    this.#workflows = workflows(this.clock);
    this.executor = new Executor({
      store: this.store,
      clock: this.clock,
      leaseMs: 0,
      workflows: this.#workflows,
      workflowVersion: "2026-11-20",
      random: () => 0.5,
      onError: () => {},
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    });
  }

  /** Runs the workflows, for about a day. */
  async play(): Promise<void> {
    const { clock, executor } = this;
    const { order, trip, importCatalogue, watchTank, subscription, values, hostile, greet, slow } = this.#workflows;
    const at = (ms: number, act: () => Promise<unknown>) => clock.at(ms, act);
    const labels = { region: "eu", team: "checkout" };
    const cart = (cents: bigint) => ({
      customer: { name: "Łukasz Wójcik", vip: false, since: new Date(START - 900 * DAY) },
      items: new Map([["oak-desk-140", { quantity: 1, cents }], ["lamp", { quantity: 2, cents: 4_900n }]]),
      notes: undefined,
    });

    // Greetings over the day, for pages, the histogram and the counts.
    for (let i = 0; i < 120; i++) {
      const input = i % 17 === 3 ? "" : `guest ${i}`;
      const region = ["eu", "us", "apac"][i % 3];
      at(
        (i * 11 % 120) * 11 * MINUTE,
        () => executor.execute(greet, { id: `welcome-${1000 + i}`, input, labels: { region } }),
      );
    }
    at(1 * HOUR, () => executor.execute(order, { id: "RP-1001", input: cart(133_500n), labels }));
    at(
      1 * HOUR + 40 * MINUTE,
      () => executor.signal("RP-1001", "approval", { by: "Mara", ok: true }, { senderId: "workshop" }),
    );
    at(
      2 * HOUR,
      () => executor.execute(order, { id: "RP-1002", input: cart(99_900n), labels: { ...labels, region: "us" } }),
    );
    at(2 * HOUR + 5 * MINUTE, () => executor.cancel("RP-1002", "moving abroad, the bed does not fit"));
    at(3 * HOUR, () => executor.execute(trip, { id: "trip-wien", input: trips, labels: { team: "travel" } }));
    at(4 * HOUR, () => executor.execute(importCatalogue, { id: "import-7", input: 24, labels: { team: "catalogue" } }));
    at(5 * HOUR, () => executor.execute(watchTank, { id: "tank-9", input: 666, labels: { site: "north" } }));
    at(6 * HOUR, () => executor.execute(subscription, { id: "sub-ada", input: { month: 1, paid: [] } }));
    at(7 * HOUR, () => executor.execute(values, { id: "values", input: strangeValues() }));
    at(8 * HOUR, () => executor.execute(slow, { id: "slow-report", timeoutMs: 90 * SECOND }));
    for (const [i, text] of HOSTILE.entries()) {
      const labels = { [text.slice(0, 60) || "empty"]: text.slice(0, 60) };
      at(9 * HOUR + i * SECOND, () => executor.execute(hostile, { id: text, input: text, labels }));
    }
    // These are open at the end.
    at(22 * HOUR, () => executor.execute(order, { id: "RP-1003", input: cart(133_500n), labels }));
    at(23 * HOUR, () => executor.execute(importCatalogue, { id: "import-8", input: 4, labels: { team: "catalogue" } }));
    at(23 * HOUR + 57 * MINUTE, () => executor.execute(order, { id: "RP-1004", input: cart(0n), labels }));
    at(23 * HOUR + 58 * MINUTE, () => executor.execute(greet, { id: "later", input: "x", startAfterMs: 2 * DAY }));
    await clock.advance(DAY);
  }
}

const trips = {
  traveller: "Ada",
  parts: ["flight", "hotel", "car"],
  from: new Date(START + 2 * DAY),
  seats: new Set(["12A", "12B"]),
};

function strangeValues() {
  const deep: unknown = Array.from({ length: 12 }).reduce<unknown>(
    (inner, _, i) => ({ [`level ${i}`]: inner }),
    "bottom",
  );
  const circular: Record<string, unknown> = { name: "circular" };
  circular.self = circular;
  return {
    map: new Map<unknown, unknown>([["a", 1], [{ key: "object" }, new Map([[1n, new Date(0)]])]]),
    set: new Set([1, "two", 3n]),
    date: new Date(START),
    badDate: new Date(NaN),
    bigint: 123_456_789_012_345_678_901n,
    numbers: [NaN, -0, Infinity, -Infinity, 1e-7, 1.5, 2 ** 53],
    nothing: [undefined, null, "", [], {}],
    bytes: new Uint8Array([0, 1, 2, 253, 254, 255]),
    buffer: new ArrayBuffer(3),
    floats: new Float64Array([1.5, -2]),
    pattern: /<b>"x"/gi,
    error: new RangeError("inner <b>", { cause: new TypeError("cause & effect") }),
    holes: Array(3),
    long: "0123456789".repeat(1000),
    many: Array.from({ length: 1000 }, (_, i) => i),
    multiline: "first\n\tsecond\r\n<third>",
    deep,
    circular,
    html: `<img src=x onerror="globalThis.pwned=1">`,
  };
}

/** The error that a payment service sends: an error with a cause that has a cause. */
function declined(): NonRetryableError {
  const socket = Object.assign(new Error("connect ECONNREFUSED 10.0.0.7:443"), { code: "ECONNREFUSED", port: 443 });
  const cause = new TypeError("fetch failed", { cause: socket });
  return new NonRetryableError("The car is sold out", { cause });
}

/** The workflows, on a clock by which their activities take time. */
function workflows(clock: VirtualClock) {
  const take = (ms: number) =>
    new Promise<void>((resolve) => {
      clock.at(clock.now() - START + ms, async () => {
        resolve();
        await macrotasks(3); // the executor has stored the outcome before the time moves on
      });
    });
  const retry = { maxAttempts: 5, initialIntervalMs: SECOND, maxIntervalMs: DAY };

  const reserveStock = async (sku: string) => {
    await take(40);
    return `5 pieces of ${sku} set aside`;
  };
  const chargeCard = async ({ cents }: { cents: bigint }, { attempt }: ActivityContext) => {
    await take(300);
    if (cents === 4_900n) throw new Error("The bank does not answer"); // and never will
    if (attempt < 3) throw Object.assign(new Error(`503 from the bank, attempt ${attempt}`), { status: 503 });
    return { paymentId: "pay-1", cents, at: new Date(clock.now()) };
  };
  const bookCarrier = async () => {
    await take(997);
    return { tracking: "PT-POR-1001" };
  };
  const releaseStock = async () => {
    await take(2 * SECOND);
    return "back on the shelf";
  };

  const order = async (ctx: WorkflowContext<unknown>, input: unknown) => {
    let status = "new";
    const address = { street: "Rua Nova 1" };
    ctx.handleQuery("status", () => status);
    ctx.handleQuery("address", (field?: unknown) => field === undefined ? { ...address } : String(field));
    ctx.handleUpdate("changeAddress", (street: unknown) => (address.street = String(street)), {
      validate: (street) => {
        if (typeof street !== "string" || street === "") throw new RangeError("street must be a non-empty string");
      },
    });
    const { items } = input as { items: Map<string, { cents: bigint }> };
    const [[sku, { cents }]] = items;
    ctx.addCompensation((ctx) => ctx.executeActivity(releaseStock), { name: "release stock" });
    await ctx.executeActivity(reserveStock, sku);
    status = "charging";
    const amount = cents === 0n ? 4_900n : cents;
    const payment = await ctx.executeActivity(chargeCard, { cents: amount }, {
      retry: { ...retry, initialIntervalMs: cents === 0n ? 48 * SECOND : SECOND },
    });
    ctx.patched("carrier-v2");
    status = "waiting for approval";
    const approval = await ctx.waitForSignal("approval", { timeoutMs: 7 * DAY });
    status = "shipping";
    await ctx.sleep(40 * MINUTE);
    const shipment = await ctx.executeActivity(bookCarrier);
    status = "shipped";
    return { payment, approval, shipment };
  };

  const book = async (part: string, { attempt }: ActivityContext) => {
    await take(part === "hotel" ? 1430 : 300 * attempt);
    if (part === "car" && attempt === 3) throw declined();
    if (part === "car" || part === "flight" && attempt === 1) throw new Error(`${part} service: 502`);
    return `${part} booked`;
  };
  const release = async (part: string) => {
    await take(520);
    return `${part} released`;
  };
  const trip = async (ctx: WorkflowContext<typeof trips>, { parts }: { parts: readonly string[] }) => {
    const booked: string[] = [];
    for (const part of parts) {
      booked.push(await ctx.executeActivity(book, part, { retry }));
      ctx.addCompensation((ctx) => ctx.executeActivity(release, part), { name: `release ${part}` });
    }
    return booked;
  };

  const importPage = async (ctx: WorkflowContext<number>, page: number) => {
    const rows = await ctx.executeActivity(async function fetchPage(page: number) {
      await take(200 + page * 37 % 500);
      if (page % 11 === 10) throw new RangeError(`Page ${page} is empty`);
      return page * 100;
    }, page);
    if (ctx.parent?.workflowId === "import-8") await ctx.waitForSignal("go");
    return rows;
  };
  const importCatalogue = async (ctx: WorkflowContext<number>, pages: number) => {
    const all = Array.from({ length: pages }, (_, i) => i);
    const done = await ctx.mapConcurrent(all, 8, async (page) => {
      try {
        return await ctx.executeChild(importPage, page, { id: `${ctx.workflowId}/page-${page}` });
      } catch {
        return 0;
      }
    });
    return done.reduce((sum, rows) => sum + rows, 0);
  };

  const readLevel = async () => {
    await take(150);
    return { level: clock.now() / 1000 % 100, unit: "cm" };
  };
  const watchTank = async (ctx: WorkflowContext<number>, rounds: number) => {
    let level: unknown;
    ctx.handleQuery("level", () => level as never);
    for (let round = 0; round < rounds; round++) {
      level = await ctx.executeActivity(readLevel);
      await ctx.sleep(30 * SECOND);
    }
    await ctx.waitForSignal("refill");
  };

  interface Paid {
    readonly month: number;
    readonly paid: readonly number[];
  }
  const subscription = async (ctx: WorkflowContext<Paid>, { month, paid }: Paid) => {
    await ctx.executeActivity(async function chargeMonth() {
      await take(80);
      return month;
    });
    ctx.handleQuery("month", () => month);
    await ctx.waitForSignal("end", { timeoutMs: 4 * HOUR }).catch(() => undefined);
    return await ctx.continueAsNew({ month: month + 1, paid: [...paid, month] });
  };

  const values = async (ctx: WorkflowContext<unknown>, input: unknown) => {
    await ctx.sideEffect(() => new Map([["side", new Set([1n])]]));
    return input as never;
  };

  const hostile = async (ctx: WorkflowContext<string>, text: string) => {
    ctx.handleQuery(text.slice(0, 60), () => text);
    await ctx.executeActivity(
      async () => {
        await take(10);
        return { [text.slice(0, 60)]: text };
      },
      text,
      { name: text },
    );
    ctx.patched(text);
    await ctx.sideEffect(() => text);
    if (text.length % 2 === 0) throw Object.assign(new Error(text), { name: text.slice(0, 60), detail: text });
    await ctx.waitForSignal(text);
  };

  const greet = async (ctx: WorkflowContext<string>, name: string) => {
    if (name === "") throw new NonRetryableError("The guest has no name");
    return await ctx.executeActivity(async function sendEmail(name: string) {
      await take(name.length * 31);
      return `Hello, ${name}`;
    }, name);
  };

  const slow = async (ctx: WorkflowContext) => {
    await ctx.executeActivity(async function render() {
      await take(10 * MINUTE);
    });
  };

  return { order, trip, importCatalogue, importPage, watchTank, subscription, values, hostile, greet, slow };
}
