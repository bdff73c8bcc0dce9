/**
 * A day of a small shop, for tests and screenshots of the inspector: runs of several workflows, recorded by a real executor in
 * virtual time. Some are running when the day ends, one has hostile texts everywhere.
 *
 * @module
 */

import { Executor, InMemoryStore, VirtualClock, type WorkflowContext, type WorkflowStore } from "@rockpool/workflow";
import { NonRetryableError } from "@rockpool/workflow/errors";
import { seeded } from "@rockpool/workflow/testing";
import { macrotasks, silent } from "./executors.ts";

/** The end of the day. */
export const NOW = Date.UTC(2026, 10, 26, 14, 30);
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

/** Texts that would be markup, script, another direction of writing, or no text at all. */
export const HOSTILE = `<script>document.title="owned"</script><img src=x onerror="alert(1)">'"&\u202egpj.exe`;
export const HOSTILE_ID = `${HOSTILE}\ud800 \\u0041\r\n\0/../?id=x#y`;

interface Order {
  readonly id: string;
  readonly customer: { readonly name: string; readonly town: string; readonly email: string };
  readonly items: readonly { readonly sku: string; readonly qty: number }[];
  readonly cents: number;
  readonly card: { readonly last4: string; readonly expires: string };
}

/** What the fixture hands out. */
export interface InspectedShop extends AsyncDisposable {
  readonly store: WorkflowStore;
  /** It runs the runs that are open. */
  readonly executor: Executor;
  /** It stands at {@linkcode NOW}. */
  readonly clock: VirtualClock;
  readonly now: () => number;
}

/** Lets a day pass. `count` is the number of orders. */
export async function inspectedShop(count = 24, store: WorkflowStore = new InMemoryStore()): Promise<InspectedShop> {
  const clock = new VirtualClock({ startAt: NOW - DAY, autoAdvance: false });
  const random = seeded(7);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)];
  const takes = (ms: number) => new Promise<void>((resolve) => void clock.setTimer(clock.now() + ms, () => resolve()));
  const between = (from: number, to: number) => Math.round(from + random() * (to - from));

  class GatewayError extends Error {
    override name = "GatewayError";
  }
  const reserveStock = async (items: Order["items"]) => {
    await takes(between(20, 200));
    return `${items.length + 3} pieces set aside`;
  };
  const chargeCard = async (
    { last4, id }: { last4: string; expires: string; id: string },
    { attempt }: { attempt: number },
  ) => {
    await takes(between(200, 900));
    if (last4 === "0000") {
      throw new NonRetryableError("The card was refused", { cause: new Error("Code 51 of the bank") });
    }
    if (last4 === "9999" || (last4 > "6000" && attempt < 3)) {
      throw new GatewayError("Bank timed out", {
        cause: new TypeError("fetch failed", { cause: new Error("ECONNRESET") }),
      });
    }
    return `pay-${id}`;
  };
  const bookCarrier = async () => {
    await takes(between(400, 1200));
    return new Map([["carrier", "DHL"], ["label", "JD0146"]]);
  };
  async function order(ctx: WorkflowContext, input: Order) {
    let step = "reserving";
    ctx.handleQuery("step", () => step);
    ctx.handleQuery("total", () => input.cents);
    ctx.handleUpdate("setAddress", (address: unknown) => ({ accepted: address }));
    await ctx.executeActivity(reserveStock, input.items);
    step = "charging";
    const retry = { maxAttempts: input.card.last4 === "9999" ? 50 : 5, initialIntervalMs: 1000 };
    await ctx.executeActivity(chargeCard, { ...input.card, id: input.id }, { retry });
    ctx.patched("carrier-v2");
    step = "waiting for approval";
    const approved = await ctx.waitForSignal<{ by: string }>("approval", { timeoutMs: 7 * DAY });
    step = "shipping";
    await ctx.sleep(40 * MINUTE);
    const labels = await ctx.executeActivity(bookCarrier);
    step = "done";
    return { approvedBy: approved.by, labels, total: BigInt(input.cents) };
  }

  const book = async (part: string, { attempt }: { attempt: number }) => {
    await takes(between(300, 1400));
    if (part === "flight" && attempt === 1) throw new GatewayError("The airline did not answer");
    if (part === "car" && attempt < 3) throw new GatewayError("The car service is busy");
    if (part === "car") throw new NonRetryableError("The car is sold out");
    return `${part} booked`;
  };
  const release = async (part: string) => {
    await takes(between(300, 900));
    return `${part} released`;
  };
  async function trip(ctx: WorkflowContext, { parts }: { parts: readonly string[]; from?: Date; seats?: Set<string> }) {
    for (const part of parts) {
      await ctx.executeActivity(book, part, { retry: { maxAttempts: 4, initialIntervalMs: 1000 } });
      ctx.addCompensation(async (ctx) => void await ctx.executeActivity(release, part), { name: `release ${part}` });
    }
  }

  const download = async (_url: string) => {
    await takes(3200);
    return { bytes: 8_812_031 };
  };
  const importRows = async (page: number) => {
    await takes(2000 + page * 900);
    return page * 40;
  };
  async function importPage(ctx: WorkflowContext, page: number) {
    if (page % 4 === 1) await ctx.waitForSignal("release");
    return await ctx.executeActivity(importRows, page);
  }
  async function importCatalogue(ctx: WorkflowContext, { url, pages }: { url: string; pages: number }) {
    ctx.handleUpdate("setPriority", (priority: unknown) => `priority is ${priority}`);
    await ctx.executeActivity(download, url);
    const children = Array.from({ length: pages }, (_, page) => {
      return ctx.startChild(importPage, page, { id: `${ctx.workflowId}/page/${page}` });
    });
    return await Promise.all(children.map((child) => child.result()));
  }

  const readLevel = async (tank: number) => {
    await takes(between(300, 900));
    return { level: 30 + (tank * 7 + Math.floor(random() * 50)) % 60 };
  };
  async function watchTank(ctx: WorkflowContext, { tank, everyMs }: { tank: number; everyMs: number }) {
    let readings = 0;
    ctx.handleQuery("readings", () => readings);
    ctx.handleSignal("calibrate", () => {});
    for (;;) {
      await ctx.executeActivity(readLevel, tank);
      readings++;
      await ctx.sleep(everyMs);
    }
  }

  const sendMail = async (_to: string) => {
    await takes(between(90, 700));
    return { messageId: `m-${between(1000, 9999)}` };
  };
  async function welcomeEmail(ctx: WorkflowContext, to: string) {
    return await ctx.executeActivity(sendMail, to);
  }

  async function values(ctx: WorkflowContext, input: unknown) {
    await ctx.sideEffect(() => new Uint8Array([1, 2, 250]));
    const doomed = async () => {
      await takes(10);
      throw new AggregateError([new RangeError(HOSTILE), new Error("second")], "both failed");
    };
    await ctx.executeActivity(doomed, HOSTILE, { name: HOSTILE, retry: { maxAttempts: 1 } }).catch(() => {});
    await ctx.waitForSignal(HOSTILE);
    return input;
  }

  const workflows = { order, trip, importCatalogue, importPage, watchTank, welcomeEmail, values };
  const executor = new Executor({ store, clock, workflows, workflowVersion: "2026-11-20", random, logger: silent });
  const at = (time: number, call: () => unknown) => void clock.at(Math.max(0, time - (NOW - DAY)), call);

  const people = [["Teun de Wit", "Utrecht"], ["Łukasz Wójcik", "Gdańsk"], ["Ada Byrne", "Cork"], [
    "Noor Haddad",
    "Tunis",
  ]];
  for (let i = 0; i < count; i++) {
    const startsAt = i < 3 ? NOW - (20 + 9 * i) * 1000 : NOW - Math.round(((i - 2) / count) ** 1.6 * DAY);
    const id = `RP-${1000 + count - i}`;
    const [name, town] = people[i % people.length];
    const last4 = i < 3 ? "9999" : i % 9 === 4 ? "0000" : String(between(1000, 8000));
    const input: Order = {
      id,
      customer: { name, town, email: `${name.split(" ")[0].toLowerCase()}@mail.example` },
      items: [{ sku: "oak-desk-140", qty: 1 }, { sku: "ash-chair", qty: between(1, 6) }],
      cents: between(4_000, 90_000),
      card: { last4, expires: "01/29" },
    };
    const labels = { region: pick(["eu", "us", "apac"]), team: "checkout" };
    at(startsAt, () => executor.execute(order, { id, input, labels }));
    if (i % 7 === 3) at(startsAt + 5 * MINUTE, () => executor.cancel(id, "the customer changed their mind"));
    else if (i % 5 !== 0) {
      at(startsAt + between(2, 40) * MINUTE, () => quiet(executor.signal(id, "approval", { by: "mia" })));
    }
    if (i % 2 === 0) {
      const mail = `welcome-${1200 - i}`;
      at(
        startsAt + HOUR / 2,
        () => executor.execute(welcomeEmail, { id: mail, input: name, labels: { team: "growth" } }),
      );
    }
  }
  const parts = ["flight", "hotel", "car"];
  for (const [city, ago] of [["wien", 56 * MINUTE], ["porto", 5 * HOUR], ["riga", 9 * HOUR]] as const) {
    const input = {
      parts: city === "riga" ? parts.slice(0, 2) : parts,
      from: new Date(NOW),
      seats: new Set(["12A", "12B"]),
    };
    at(NOW - ago, () => executor.execute(trip, { id: `trip-${city}`, input, labels: { team: "travel" } }));
  }
  for (const [id, ago] of [["import-1122", 25_000], ["import-1100", 6 * HOUR]] as const) {
    const input = { url: "https://supplier.example/feed.csv", pages: 9 };
    at(
      NOW - ago,
      () => executor.execute(importCatalogue, { id, input, labels: { team: "catalogue" }, timeoutMs: HOUR }),
    );
    at(NOW - ago + 9_000, () => quiet(executor.update(id, "setPriority", "high")));
    if (ago > HOUR) {
      for (const page of [1, 5]) {
        at(NOW - ago + MINUTE, () => quiet(executor.signal(`${id}/page/${page}`, "release")));
      }
    }
  }
  at(NOW - 4 * HOUR - 15 * MINUTE, () => {
    return executor.execute(watchTank, {
      id: "tank-7",
      input: { tank: 7, everyMs: 30_000 },
      labels: { team: "plant", site: "north" },
    });
  });
  for (let i = 1; i < 8; i++) {
    at(NOW - 4 * HOUR + i * 32 * MINUTE, () => quiet(executor.signal("tank-7", "calibrate", i)));
  }
  at(NOW - 10 * MINUTE, () => {
    const input = {
      text: HOSTILE,
      [HOSTILE]: HOSTILE,
      map: new Map<unknown, unknown>([["a", 1], [{ key: true }, new Set([1, "two"])]]),
      date: new Date(NOW - DAY),
      big: 12345678901234567890n,
      error: new Error("outer", { cause: new TypeError("inner", { cause: "a text" }) }),
      regexp: /a<b/gi,
      bytes: new Uint8Array(40),
      nothing: undefined,
      minusZero: -0,
      long: "lorem ipsum ".repeat(4000),
      deep: nest(40),
      wide: Array.from({ length: 3000 }, (_, i) => i),
    };
    return executor.execute(values, { id: HOSTILE_ID, input, labels: { [HOSTILE]: HOSTILE } });
  });
  let isOver = false;
  clock.setTimer(NOW, () => isOver = true);
  while (!isOver) { // and not `advanceTo`, which does not wait for activities: they begin a little later
    clock.next();
    await macrotasks(4);
  }
  return { store, executor, clock, now: () => NOW, [Symbol.asyncDispose]: () => executor.close() };
}

const quiet = (promise: Promise<unknown>) => void promise.catch(() => {}); // the run may have ended

function nest(depth: number): unknown {
  return depth === 0 ? "the bottom" : { [`level${depth}`]: nest(depth - 1) };
}
