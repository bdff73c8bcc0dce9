import { assert, assertEquals, assertRejects } from "@std/assert";
import { CanceledError, type Executor, NonRetryableError } from "@rockpool/workflow";
import {
  attempts,
  type CrashRun,
  crashTest,
  type CrashTestOptions,
  explore,
  fails,
  replace,
  simulate,
  TestExecutor,
  whatIf,
} from "@rockpool/workflow/testing";
import { bounds } from "../tests/support/exploring.ts";
import { gate, settle, setUp, typesOf } from "../tests/support/executors.ts";
import { sampleOrder } from "../tests/support/sample_order.ts";
import type { Address, Order } from "./order.ts";
import {
  type Approval,
  type Charge,
  createOrderWorkflow,
  CURING_MS,
  type OrderResult,
  SERVICE_LIMIT_MS,
  STEP_ATTEMPTS,
} from "./order_workflow.ts";
import { type CardScript, SimulatedShop } from "./simulated_shop.ts";

const input: Order = {
  ...sampleOrder,
  items: [...sampleOrder.items, { sku: "2", name: "Desk", quantity: 1, unitCents: 89000 }],
};
const yes: Approval = { approved: true, by: "Mara" };
const no: Approval = { approved: false, by: "Mara", reason: "no oak" };
const shipped: OrderResult = {
  outcome: "shipped",
  paymentId: "pay-a",
  trackingNumber: "PT-POR-a",
};

/** A shop, and an executor that can run orders for it. */
function setUpShop(
  options: { card?: CardScript; shop?: SimulatedShop } = {},
) {
  const { card = { failures: 2 }, shop = new SimulatedShop(new Map([["a", card]])) } = options;
  const order = createOrderWorkflow(shop);
  const { executor, clock } = setUp({ workflows: { order } });
  const start = () => executor.execute(order, { id: "a", input });
  return { shop, executor, clock, start };
}

const approve = (executor: Executor, payload: Approval) => executor.signal("a", "approval", payload);

Deno.test("Order workflow ships after 30 days when it is approved", async () => {
  const { shop, executor, start } = setUpShop();
  const handle = await start();
  await settle();
  assertEquals((await executor.describe("a", { history: true })).history.at(-1)?.type, "activity_completed");
  assertEquals(shop.reserved, ["a"]);
  await approve(executor, yes);
  assertEquals(await handle.result(), shipped);
  const { history, updatedAt } = await executor.describe("a", { history: true });
  assertEquals(typesOf(history), [
    "workflow_started",
    "activity_started",
    "activity_completed",
    "activity_started",
    "activity_attempt_failed",
    "activity_attempt_failed",
    "activity_completed",
    "signal_received",
    "timer_started",
    "timer_fired",
    "activity_started",
    "activity_completed",
    "workflow_completed",
  ]);
  assertEquals(updatedAt, CURING_MS + 3000);
  assertEquals(Object.fromEntries(shop.runsOf("a")), {
    reserveStock: 1,
    chargeCard: 3,
    bookCarrier: 1,
  });
  assertEquals(shop.payments, [{ orderId: "a", voided: false }]);
  assertEquals([shop.reserved, shop.shipped], [[], ["a"]]);
  await executor.close();
});

Deno.test("Order workflow undoes everything when it is refused", async () => {
  const { shop, executor, start } = setUpShop();
  const handle = await start();
  await approve(executor, no); // before the workflow waits for it
  assertEquals(await handle.result(), { outcome: "refused", by: "Mara", reason: "no oak" });
  assertEquals(handle.status, "completed");
  assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
  assertEquals([shop.reserved, shop.shipped], [[], []]);
  await executor.close();
});

Deno.test("Order workflow fails and releases the stock when the card is declined for good", async () => {
  const { shop, executor, start } = setUpShop({ card: { failures: 2, declined: "the card expired" } });
  const handle = await start();
  await assertRejects(
    () => handle.result(),
    NonRetryableError,
    "Cannot charge EUR 1,259.00: the card expired",
  );
  assertEquals(handle.status, "failed");
  assertEquals(Object.fromEntries(shop.runsOf("a")), {
    reserveStock: 1,
    chargeCard: 1,
    voidPayment: 1,
    releaseStock: 1,
  });
  assertEquals([shop.payments, shop.reserved], [[], []]);
  await executor.close();
});

Deno.test("Order workflow fails and releases the stock when the payment service never answers", async () => {
  const { shop, executor, start } = setUpShop({ card: { failures: Infinity } });
  const handle = await start();
  const error = await assertRejects(() => handle.result(), Error);
  assertEquals(error.name, "GatewayError");
  assertEquals(shop.runsOf("a").get("chargeCard"), STEP_ATTEMPTS);
  assertEquals([shop.payments, shop.reserved], [[], []]);
  await executor.close();
});

Deno.test("Order workflow undoes everything when it is cancelled while it waits for approval", async () => {
  const { shop, executor, start } = setUpShop();
  const handle = await start();
  await settle();
  await executor.cancel("a", "too slow");
  const error = await assertRejects(() => handle.result(), CanceledError);
  assertEquals([error.reason, handle.status], ["too slow", "canceled"]);
  assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
  assertEquals([shop.reserved, shop.shipped], [[], []]);
  await executor.close();
});

Deno.test("Order workflow undoes everything when it is cancelled while it sleeps", async () => {
  const { shop, executor, clock, start } = setUpShop();
  const cancelAt = CURING_MS / 2;
  clock.at(cancelAt, () => executor.cancel("a", "moving abroad"));
  const handle = await start();
  await approve(executor, yes);
  await assertRejects(() => handle.result(), CanceledError, "moving abroad");
  const { history, status, updatedAt } = await executor.describe("a", { history: true });
  assertEquals([status, updatedAt], ["canceled", cancelAt]);
  assertEquals(typesOf(history).slice(-7), [
    "compensation_started",
    "activity_started",
    "activity_completed",
    "compensation_started",
    "activity_started",
    "activity_completed",
    "workflow_canceled",
  ]);
  assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
  assertEquals([shop.reserved, shop.shipped], [[], []]);
  await executor.close();
});

for (const when of ["before", "after"]) {
  Deno.test(`Order workflow refunds the payment when it is cancelled just ${when} the bank takes the money`, async () => {
    const called = gate();
    const answer = gate();
    class SlowShop extends SimulatedShop {
      override async chargeCard(charge: Charge, idempotencyKey: string) {
        const work = () => super.chargeCard(charge, idempotencyKey);
        const taken = when === "after" ? work() : undefined;
        called.open();
        await answer.promise;
        return await (taken ?? work());
      }
    }
    const { shop, executor, start } = setUpShop({ shop: new SlowShop(new Map()) });
    const handle = await start();
    await called.promise;
    await executor.cancel("a");
    await settle();
    answer.open();
    await assertRejects(() => handle.result(), CanceledError);
    await settle();
    assertEquals(shop.payments, [{ orderId: "a", voided: true }]);
    assertEquals(shop.reserved, []);
    await executor.close();
  });
}

Deno.test("Order workflow still ships when it is cancelled while the carrier is being booked", async () => {
  const called = gate();
  const answer = gate();
  class SlowShop extends SimulatedShop {
    override async bookCarrier(orderId: string, address: Address) {
      called.open();
      await answer.promise;
      return await super.bookCarrier(orderId, address);
    }
  }
  const { shop, executor, start } = setUpShop({ shop: new SlowShop(new Map()) });
  const handle = await start();
  await approve(executor, yes);
  await called.promise;
  await executor.cancel("a");
  answer.open();
  assertEquals(await handle.result(), shipped);
  assertEquals(shop.payments, [{ orderId: "a", voided: false }]);
  assertEquals(shop.shipped, ["a"]);
  await executor.close();
});

// The workflow in a world that crashes

/** The services of a run under test. */
let shop: SimulatedShop;
const order = createOrderWorkflow({
  reserveStock: (...args) => shop.reserveStock(...args),
  releaseStock: (...args) => shop.releaseStock(...args),
  chargeCard: (...args) => shop.chargeCard(...args),
  voidPayment: (...args) => shop.voidPayment(...args),
  bookCarrier: (...args) => shop.bookCarrier(...args),
});
const open = (card?: CardScript) => () => void (shop = new SimulatedShop(new Map(card && [["a", card]])));
const effects = () => [shop.payments, shop.reserved, shop.shipped];
const SHIPPED = [[{ orderId: "a", voided: false }], [], ["a"]];
const REFUNDED = [[{ orderId: "a", voided: true }], [], []];
const NOTHING_CHARGED = [[], [], []];
const MINUTE_MS = 60_000;

/** A bank that is busy at the first two attempts. */
const busyBank = replace(
  "chargeCard",
  attempts<Order, string>(
    fails("busy"),
    fails("busy"),
    ({ id, currency, card }, { idempotencyKey }) =>
      shop.chargeCard({ orderId: id, cents: 100, currency, cardToken: card.token }, idempotencyKey),
  ),
);
/** A carrier that books at the first call, and whose answer is lost so many times. */
const losesAnswers = (times: number) =>
  replace("bookCarrier", async ({ id, address }: Order, { attempt }) => {
    const trackingNumber = await shop.bookCarrier(id, address);
    if (attempt <= times) throw new Error("The answer was lost");
    return trackingNumber;
  });

const approved = [{ atMs: 10 * MINUTE_MS, name: "approval", payload: yes }];
const refused = [{ atMs: 10 * MINUTE_MS, name: "approval", payload: no }];
const outcomes: Record<string, CrashTestOptions & { status: string; end: unknown; card?: CardScript }> = {
  "when it is approved": { signals: approved, activities: [busyBank], status: "completed", end: SHIPPED },
  "when it is refused": { signals: refused, status: "completed", end: REFUNDED },
  "when the card is declined": {
    card: { failures: 0, declined: "the card expired" },
    status: "failed",
    end: NOTHING_CHARGED,
  },
  "when it is cancelled while the stock is being reserved": {
    activities: [replace("reserveStock", fails("The warehouse is closed"))],
    cancel: { atMs: 500 },
    status: "canceled",
    end: NOTHING_CHARGED,
  },
  "when it is cancelled between two attempts to charge the card": {
    activities: [busyBank],
    cancel: { atMs: 500 },
    status: "canceled",
    end: NOTHING_CHARGED,
  },
  "when it is cancelled while it waits for approval": {
    cancel: { atMs: 5 * MINUTE_MS },
    status: "canceled",
    end: REFUNDED,
  },
  "when it is cancelled while the varnish cures": {
    signals: approved,
    cancel: { atMs: CURING_MS / 2 },
    status: "canceled",
    end: REFUNDED,
  },
  "when the carrier refuses the parcel": {
    signals: approved,
    activities: [replace("bookCarrier", fails(new NonRetryableError("The address does not exist")))],
    status: "failed",
    end: REFUNDED,
  },
  "when it is cancelled while the carrier does not answer": {
    signals: approved,
    activities: [losesAnswers(25)],
    cancel: { atMs: 10 * MINUTE_MS + CURING_MS + 50 },
    status: "completed",
    end: SHIPPED,
  },
  "when it is cancelled while it is being undone": {
    signals: refused,
    activities: [replace("voidPayment", attempts<Order, string>(fails("busy"), ({ id }) => shop.voidPayment(id)))],
    cancel: { atMs: 10 * MINUTE_MS + 50 },
    status: "completed",
    end: REFUNDED,
  },
};

for (const [when, { status, end, card, ...options }] of Object.entries(outcomes)) {
  Deno.test(`Order workflow ends the same in a crash at every point ${when}`, async () => {
    const { points, undisturbed } = await crashTest(order, { ...options, id: "a", input, setUp: open(card), effects });
    assertEquals([undisturbed.state.status, effects()], [status, end]);
    assert(points > 10);
  });
}

Deno.test("Order workflow never refunds an order whose parcel has left, whatever the carrier answers", async () => {
  open()();
  await TestExecutor.use(async (executor) => {
    executor.clock.hold();
    const handle = await executor.execute(order, { id: "a", input });
    await executor.signal("a", "approval", yes);
    await executor.clock.advance(CURING_MS + 60 * MINUTE_MS);
    await executor.cancel("a");
    await executor.clock.advance(24 * 60 * MINUTE_MS);
    assertEquals([handle.status, ...effects()], ["running", ...SHIPPED]);
    await executor.terminate("a");
  }, { activities: [losesAnswers(Infinity)] });
});

Deno.test("Order workflow leaves money and parcel consistent whatever fails, comes late or is cancelled", async () => {
  for (const cancelAtMs of [0, CURING_MS]) {
    await simulate({
      workflow: order,
      id: "a",
      input,
      signals: [{ atMs: 0, name: "approval", payload: yes }],
      cancel: { atMs: cancelAtMs },
      setUp: open(),
      maxDelayMs: SERVICE_LIMIT_MS,
      rates: { activityDelay: 0.7, late: 1 },
      atEnd({ state }) {
        const paid = shop.payments.filter(({ voided }) => !voided).length;
        const isShipped = state!.status === "completed";
        assertEquals([paid, shop.shipped.length, shop.reserved.length], isShipped ? [1, 1, 0] : [0, 0, 0]);
      },
    }, { seeds: 200 });
  }
});

/** Who has the parcel has paid, and nobody else. */
const consistent = {
  id: "a",
  input,
  signals: approved,
  setUp: open(),
  check({ state: { status } }: CrashRun) {
    assertEquals(
      effects(),
      status === "completed" ? SHIPPED : [shop.payments.map((one) => ({ ...one, voided: true })), [], []],
    );
  },
};

Deno.test("Order workflow leaves money and parcel consistent in each order, with each failure, cancellation and crash", async () => {
  const { missing } = await explore(order, { ...consistent, ...bounds });
  assertEquals(missing, []);
});

Deno.test("Order workflow leaves money and parcel consistent if one thing goes wrong", async () => {
  const { bad, missing, cells } = await whatIf(order, { ...consistent, failures: bounds.failures });
  assertEquals([bad, missing], [[], []]);
  const retried = cells.filter(({ end }) => end === "retrying").map(({ activity }) => activity);
  // What must be done is tried until it is.
  assertEquals([...new Set(retried)], ["bookCarrier", "releaseStock", "voidPayment"]);
});
