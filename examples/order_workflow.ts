/**
 * The order workflow of a furniture workshop: reserve the pieces, charge the card, wait for the workshop's approval, let the
 * varnish cure for 30 days, ship. If a step fails, if the order is refused, or if it is cancelled before the carrier is called, the
 * workflow refunds the payment and releases the stock.
 *
 * The workflow is plain code that reaches the outside world only through activities and `ctx`. Therefore it can be stopped at
 * any point, and another process resumes it from its history.
 *
 * @module
 */

import type { ActivityContext, ActivityOptions, WorkflowContext } from "@rockpool/workflow";
import { type Address, type Order, type OrderItem, totalCents } from "./order.ts";

/** A request to the payment service. */
export interface Charge {
  readonly orderId: string;
  readonly cents: number;
  readonly currency: string;
  readonly cardToken: string;
}

/**
 * The services that the activities call.
 *
 * - An activity may run more than once, so each service does its work once per order, however often it is called.
 * - A service can do its work although its answer is lost. After {@linkcode SERVICE_LIMIT_MS} it has done it, or never will.
 * - A `NonRetryableError` is an answer: the service has done nothing, and will do nothing.
 */
export interface Shop {
  reserveStock(orderId: string, items: readonly OrderItem[]): Promise<string>;
  releaseStock(orderId: string): Promise<string>;
  /** Returns the number of the payment. Charges once per key. */
  chargeCard(charge: Charge, idempotencyKey: string): Promise<string>;
  voidPayment(orderId: string): Promise<string>;
  /** Returns the tracking number. */
  bookCarrier(orderId: string, address: Address): Promise<string>;
}

/** The payload of the signal `approval`. */
export interface Approval {
  readonly approved: boolean;
  /** Who decided. */
  readonly by: string;
  readonly reason?: string;
}

/** The result of the workflow. An order that cannot be paid, or that is cancelled, ends with an error instead. */
export type OrderResult =
  | { readonly outcome: "shipped"; readonly paymentId: string; readonly trackingNumber: string }
  | { readonly outcome: "refused"; readonly by: string; readonly reason: string };

/** How long a service works on a request at most. */
export const SERVICE_LIMIT_MS = 30_000;

/** How long varnish cures before a piece can be shipped. */
export const CURING_MS = 30 * 24 * 60 * 60 * 1000;

/** How many attempts of a step are made before the order fails. */
export const STEP_ATTEMPTS = 5;

/** The limit of an attempt. It is longer than a service works, so that nothing is in flight after the last attempt. */
const timeoutMs = SERVICE_LIMIT_MS + 10_000;
const step: ActivityOptions = { timeoutMs, retry: { maxAttempts: STEP_ATTEMPTS, initialIntervalMs: 1000 } };
/** For steps that must succeed in the end. Only a `NonRetryableError` ends the attempts. */
const untilDone: ActivityOptions = { timeoutMs, retry: { maxAttempts: Infinity, maxIntervalMs: 600_000 } };

/** The workshop does not want to make the order. */
class Refusal extends Error {
  readonly approval: Approval;

  constructor(approval: Approval) {
    super(`Refused by ${approval.by}`);
    this.approval = approval;
  }
}

/**
 * Makes the order workflow of a shop.
 *
 * @param shop The services that its activities call.
 */
export function createOrderWorkflow(
  shop: Shop,
): (ctx: WorkflowContext, order: Order) => Promise<OrderResult> {
  const reserveStock = ({ id, items }: Order) => shop.reserveStock(id, items);
  const releaseStock = ({ id }: Order) => shop.releaseStock(id);
  const chargeCard = (order: Order, { idempotencyKey }: ActivityContext) => {
    const { id: orderId, currency, card } = order;
    const charge = { orderId, cents: totalCents(order), currency, cardToken: card.token };
    return shop.chargeCard(charge, idempotencyKey);
  };
  const voidPayment = ({ id }: Order) => shop.voidPayment(id);
  const bookCarrier = ({ id, address }: Order) => shop.bookCarrier(id, address);

  async function processOrder(ctx: WorkflowContext, order: Order): Promise<OrderResult> {
    // A compensation is added before the step that it undoes: a step without an answer may have taken effect. If the order is
    // cancelled during a step, the compensations begin when that step has ended.
    ctx.addCompensation((ctx) => ctx.executeActivity(releaseStock, order, untilDone), { name: "release the stock" });
    await ctx.executeActivity(reserveStock, order, step);

    ctx.addCompensation((ctx) => ctx.executeActivity(voidPayment, order, untilDone), { name: "refund the payment" });
    const paymentId = await ctx.executeActivity(chargeCard, order, step);

    const approval = await ctx.waitForSignal<Approval>("approval");
    if (!approval.approved) throw new Refusal(approval);

    await ctx.sleep(CURING_MS);

    // Once the carrier is called, it is too late to cancel. The carrier may have the parcel although no answer arrives, so it is
    // called until it answers: an order with a parcel is not refunded.
    const trackingNumber = await ctx.shield((ctx) => ctx.executeActivity(bookCarrier, order, untilDone));
    return { outcome: "shipped", paymentId, trackingNumber };
  }

  return async function orderWorkflow(ctx, order) {
    try {
      return await ctx.scope((ctx) => processOrder(ctx, order)); // if the scope fails, it is undone
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { by, reason = "no reason" } = error.approval;
      return { outcome: "refused", by, reason };
    }
  };
}
