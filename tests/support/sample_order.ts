/**
 * The order that the tests of the order workflow use.
 *
 * @module
 */

import type { Order } from "../../examples/order.ts";

/** An order with one item. */
export const sampleOrder: Order = {
  id: "a",
  customer: { name: "Ada", email: "ada@example.com" },
  currency: "EUR",
  items: [{ sku: "1", name: "Chair", quantity: 2, unitCents: 18450 }],
  address: { street: "1 Quay", postcode: "1000", city: "Porto", country: "PT" },
  card: { token: "tok", last4: "4242" },
};
