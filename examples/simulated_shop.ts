/**
 * The outside world: a warehouse, a payment service and a carrier. They keep running when an executor stops.
 *
 * Owns what really happened, and how often each activity really ran. Neither is in the workflow store, so both can be compared
 * with it.
 *
 * @module
 */

import { NonRetryableError } from "@rockpool/workflow";
import { type Address, countPieces, formatMoney, type OrderItem } from "./order.ts";
import type { Charge, Shop } from "./order_workflow.ts";

/** How a card behaves. */
export interface CardScript {
  /** How often the payment service fails before it succeeds, from 0. */
  readonly failures: number;
  /** Why the card is declined, if it is. */
  readonly declined?: string;
}

/** A temporary failure of the payment service. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
}

/** A payment that may have been refunded. */
interface Payment {
  readonly charge: Charge;
  readonly paymentId: string;
  voided: boolean;
}

/** Services that do their work once per order, and give the same answer, however often they are called. */
export class SimulatedShop implements Shop {
  readonly #cards: ReadonlyMap<string, CardScript>;
  readonly #runs = new Map<string, Map<string, number>>();
  readonly #reserved = new Map<string, readonly OrderItem[]>();
  /** By idempotency key. */
  readonly #payments = new Map<string, Payment>();
  readonly #asked = new Map<string, number>();
  readonly #parcels = new Map<string, string>();
  readonly #released = new Map<string, readonly OrderItem[]>();

  readonly #wait: (ms: number) => Promise<void>;

  /**
   * @param cards How the cards behave, by order. Other cards always work.
   * @param wait Lets the time pass that a service takes. By default, none passes.
   */
  constructor(cards: ReadonlyMap<string, CardScript>, wait: (ms: number) => Promise<void> = () => Promise.resolve()) {
    this.#cards = cards;
    this.#wait = wait;
  }

  /** How often each activity really ran for an order, by name, in order of the first run. */
  runsOf(orderId: string): ReadonlyMap<string, number> {
    return new Map(this.#runs.get(orderId));
  }

  /** The orders that still have reserved pieces. */
  get reserved(): readonly string[] {
    return [...this.#reserved.keys()];
  }

  /** The orders that were shipped. */
  get shipped(): readonly string[] {
    return [...this.#parcels.keys()];
  }

  /** The payments, and whether each was refunded. */
  get payments(): readonly { readonly orderId: string; readonly voided: boolean }[] {
    return Array.from(
      this.#payments.values(),
      ({ charge: { orderId }, voided }) => ({ orderId, voided }),
    );
  }

  async reserveStock(orderId: string, items: readonly OrderItem[]): Promise<string> {
    await this.#ran(orderId, "reserveStock", 180);
    this.#reserved.set(orderId, items);
    return `${pieces(items)} set aside`;
  }

  async releaseStock(orderId: string): Promise<string> {
    await this.#ran(orderId, "releaseStock", 120);
    const items = this.#reserved.get(orderId) ?? this.#released.get(orderId);
    if (items === undefined) return "nothing was set aside";
    this.#reserved.delete(orderId);
    this.#released.set(orderId, items);
    return `${pieces(items)} back on the shelf`;
  }

  async chargeCard(charge: Charge, idempotencyKey: string): Promise<string> {
    const { orderId, cents, currency } = charge;
    await this.#ran(orderId, "chargeCard", 700);
    const paid = this.#payments.get(idempotencyKey);
    if (paid !== undefined) return paid.paymentId; // called again: the first answer was lost
    const { failures, declined } = this.#cards.get(orderId) ?? { failures: 0 };
    if (declined !== undefined) {
      throw new NonRetryableError(
        `Cannot charge ${formatMoney(cents, currency)}: ${declined}`,
      );
    }
    const asked = (this.#asked.get(idempotencyKey) ?? 0) + 1;
    this.#asked.set(idempotencyKey, asked);
    if (asked <= failures) {
      throw new GatewayError(asked % 2 === 1 ? "Bank timed out" : "Bank is busy");
    }
    const paymentId = `pay-${orderId}`;
    this.#payments.set(idempotencyKey, { charge, paymentId, voided: false });
    return paymentId;
  }

  async voidPayment(orderId: string): Promise<string> {
    await this.#ran(orderId, "voidPayment", 450);
    const payments = [...this.#payments.values()].filter(({ charge }) => charge.orderId === orderId);
    for (const payment of payments) payment.voided = true;
    const amounts = payments.map(({ charge }) => formatMoney(charge.cents, charge.currency));
    return amounts.length > 0 ? `${amounts.join(", ")} given back` : "nothing was charged";
  }

  async bookCarrier(orderId: string, { city, country }: Address): Promise<string> {
    await this.#ran(orderId, "bookCarrier", 900);
    this.#reserved.delete(orderId);
    const trackingNumber = `${country}-${city.slice(0, 3).toUpperCase()}-${orderId}`;
    this.#parcels.set(orderId, trackingNumber);
    return trackingNumber;
  }

  /** Counts a run of an activity, and lets its time pass. */
  #ran(orderId: string, activity: string, ms: number): Promise<void> {
    let runs = this.#runs.get(orderId);
    if (runs === undefined) this.#runs.set(orderId, runs = new Map());
    runs.set(activity, (runs.get(activity) ?? 0) + 1);
    return this.#wait(ms);
  }
}

function pieces(items: readonly OrderItem[]): string {
  const count = countPieces(items);
  return `${count} ${count === 1 ? "piece" : "pieces"}`;
}
