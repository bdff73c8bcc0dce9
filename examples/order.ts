/**
 * An order of the example shop: the input of the workflow.
 *
 * @module
 */

/** One or more pieces of one product. */
export interface OrderItem {
  /** The product's number. */
  readonly sku: string;
  /** The name that the customer sees. */
  readonly name: string;
  /** The number of pieces, from 1. */
  readonly quantity: number;
  /** The price of one piece, in hundredths of the order's currency. */
  readonly unitCents: number;
}

/** A delivery address. */
export interface Address {
  readonly street: string;
  readonly postcode: string;
  readonly city: string;
  /** Two letters, ISO 3166. */
  readonly country: string;
}

/** An order: the input of the order workflow. */
export interface Order {
  /** The number of the order, which is also the ID of the workflow. */
  readonly id: string;
  readonly customer: { readonly name: string; readonly email: string };
  /** Three letters, ISO 4217. */
  readonly currency: string;
  readonly items: readonly OrderItem[];
  readonly address: Address;
  /** The payment service's token of the card, and the digits that may be shown. */
  readonly card: { readonly token: string; readonly last4: string };
}

/** Counts the pieces of an order. */
export function countPieces(items: readonly OrderItem[]): number {
  return items.reduce((sum, { quantity }) => sum + quantity, 0);
}

/** The price of an order, in hundredths of its currency. */
export function totalCents({ items }: Order): number {
  return items.reduce((sum, { quantity, unitCents }) => sum + quantity * unitCents, 0);
}

/** Shows an amount: `EUR 1,284.50`. */
export function formatMoney(cents: number, currency: string): string {
  const [units, fraction] = (cents / 100).toFixed(2).split(".");
  return `${currency} ${units.replace(/\B(?=(\d{3})+$)/g, ",")}.${fraction}`;
}
