/**
 * The order workflow of a furniture workshop: reserve the pieces, charge the card, wait for the workshop's approval, let the
 * varnish cure for 30 days, ship. If a step fails or the order is cancelled before the parcel leaves, the workflow refunds the
 * payment and releases the stock.
 *
 * The workflow is plain code that reaches the outside world only through activities and `ctx`. Therefore it can be stopped at
 * any point, and another process resumes it from its history.
 *
 * @module
 */

import type { ActivityContext, ActivityOptions, DeepReadonly, WorkflowContext } from "@rockpool/workflow";
import { type Address, type Order, type OrderItem, totalCents } from "./order.ts";

/** A request to the payment service. */
export interface Charge {
  readonly orderId: string;
  readonly cents: number;
  readonly currency: string;
  readonly cardToken: string;
}

/**
 * The services that the activities call. An activity may run more than once, so each service does its work once per order,
 * however often it is called.
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

/** How long varnish cures before a piece can be shipped. */
export const CURING_MS = 30 * 24 * 60 * 60 * 1000;

/** How many attempts to charge the card are made before the order fails. */
export const CARD_ATTEMPTS = 5;

const cardOptions: ActivityOptions = {
  retry: { maxAttempts: CARD_ATTEMPTS, initialIntervalMs: 1000 },
};
/** For steps that must succeed in the end. */
const patient: ActivityOptions = { retry: { maxAttempts: 20 } };

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

  return async function processOrder(ctx, order) {
    // The undo step is added before the step itself: an interrupted step may have taken effect.
    const undo: ((order: Order) => Promise<string>)[] = [];
    const undoAll = () =>
      ctx.shield(async (ctx) => {
        for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
          await ctx.executeActivity(step, order, patient);
        }
      });

    try {
      undo.push(releaseStock);
      await ctx.executeActivity(reserveStock, order, patient);

      undo.push(voidPayment);
      const paymentId = await ctx.executeActivity(chargeCard, order, cardOptions);

      const approval = await nextSignal<Approval>(ctx, "approval");
      if (!approval.approved) {
        await undoAll();
        return { outcome: "refused", by: approval.by, reason: approval.reason ?? "no reason" };
      }

      await ctx.sleep(CURING_MS);

      // Shielded: once the carrier is called, it is too late to cancel.
      const trackingNumber = await ctx.shield((ctx) => ctx.executeActivity(bookCarrier, order, patient));
      return { outcome: "shipped", paymentId, trackingNumber };
    } catch (error) {
      await undoAll();
      throw error;
    }
  };
}

/** Waits for one signal. */
async function nextSignal<Payload>(ctx: WorkflowContext, name: string): Promise<DeepReadonly<Payload>> {
  for await (const payload of ctx.receiveSignal<Payload>(name)) return payload;
  throw new Error(`The signals "${name}" ended`);
}
