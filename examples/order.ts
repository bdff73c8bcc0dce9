/**
 * An order of the example shop, as the workflow takes it.
 *
 * @module
 */

/** Some pieces of one product. */
export interface OrderItem {
  /** The product's number. */
  readonly sku: string;
  /** What the customer calls it. */
  readonly name: string;
  /** How many, from 1. */
  readonly quantity: number;
  /** The price of one, in hundredths of the order's currency. */
  readonly unitCents: number;
}

/** Where an order goes. */
export interface Address {
  readonly street: string;
  readonly postcode: string;
  readonly city: string;
  /** Two letters, ISO 3166. */
  readonly country: string;
}

/** An order: the input of the order workflow. */
export interface Order {
  /** The order's number, which is the workflow's ID as well. */
  readonly id: string;
  readonly customer: { readonly name: string; readonly email: string };
  /** Three letters, ISO 4217. */
  readonly currency: string;
  readonly items: readonly OrderItem[];
  readonly address: Address;
  /** What the payment service knows the card by, and what may be shown of it. */
  readonly card: { readonly token: string; readonly last4: string };
}

/** How many pieces an order has. */
export function countPieces(items: readonly OrderItem[]): number {
  return items.reduce((sum, { quantity }) => sum + quantity, 0);
}

/** What an order costs, in hundredths of its currency. */
export function totalCents({ items }: Order): number {
  return items.reduce((sum, { quantity, unitCents }) => sum + quantity * unitCents, 0);
}

/** Shows an amount: `EUR 1,284.50`. */
export function formatMoney(cents: number, currency: string): string {
  const [units, fraction] = (cents / 100).toFixed(2).split(".");
  return `${currency} ${units.replace(/\B(?=(\d{3})+$)/g, ",")}.${fraction}`;
}
