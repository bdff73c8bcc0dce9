/**
 * Reads the demo's orders from a JSON file.
 *
 * Owns the format of the file and the error messages. A message is one line that names the file, the place in it and the way
 * out.
 *
 * @module
 */

import { findSyntaxError } from "./find_syntax_error.ts";
import type { Order, OrderItem } from "./order.ts";
import type { Approval } from "./order_workflow.ts";
import type { CardScript } from "./simulated_shop.ts";

/** External events of an order. Minutes count from when the order is placed, unless stated otherwise. */
export interface Script {
  /** When the order is placed, in minutes from the start of the demo. @default {5 after the previous order} */
  readonly placedAfterMinutes: number;
  /** How the card behaves. @default {fails twice, then succeeds} */
  readonly card: CardScript;
  /** The workshop's decision. @default {approved, after 60 minutes} */
  readonly approval: Approval & { readonly afterMinutes: number };
  /** When and why the customer cancels. @default {undefined}: never */
  readonly cancel?: { readonly afterMinutes: number; readonly reason: string } | undefined;
}

/** One entry of the file. */
export interface ScriptedOrder {
  readonly order: Order;
  readonly script: Script;
}

/** The file cannot be used. */
export class OrdersFileError extends Error {
  override readonly name = "OrdersFileError";
}

const WAY_OUT = "see examples/orders.json for the format";
const MINUTES_BETWEEN_ORDERS = 5;
const MAX_MINUTES = 1_000_000;

/**
 * Reads a file.
 *
 * @param path The file.
 * @param name Its name in messages.
 * @throws {OrdersFileError} If it cannot be read or does not hold orders.
 */
export async function readOrders(
  path: string | URL,
  name: string = String(path),
): Promise<ScriptedOrder[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Deno.errors.IsADirectory
      ? "it is a directory"
      : String((error as Error).message);
    throw complain(name, `${why}; pass the path of a JSON file, or none to see the sample`);
  }
  return parseOrders(text, name);
}

/**
 * Reads the text of a file.
 *
 * @param text The text.
 * @param name The name of the file in messages.
 * @throws {OrdersFileError} If it does not hold orders.
 */
export function parseOrders(text: string, name: string): ScriptedOrder[] {
  const json = text.replace(/^\uFEFF/, "");
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw complain(name, `${describeSyntaxError(json)}; ${WAY_OUT}`);
  }
  try {
    return readEntries(value);
  } catch (error) {
    if (error instanceof FormatError) throw complain(name, `${error.message}; ${WAY_OUT}`);
    throw error;
  }
}

function complain(name: string, why: string): OrdersFileError {
  const message = `Cannot read orders from "${name}": ${why}`;
  return new OrdersFileError(message.replace(/[\p{Cc}\u2028\u2029]+/gu, " "));
}

function describeSyntaxError(text: string): string {
  if (text.trim() === "") return "it is empty";
  const at = findSyntaxError(text);
  const before = text.slice(0, at).split("\n");
  const found = text.slice(at).match(/^.{1,30}/u)?.[0];
  return `it is not JSON from line ${before.length}, column ${before.at(-1)!.length + 1} on: ${
    found === undefined ? "the file ends too soon" : `unexpected ${show(found)}`
  }`;
}

/** Says what is wrong, and where in the file. */
class FormatError extends Error {}

function readEntries(value: unknown): ScriptedOrder[] {
  const indices = new Map<string, number>();
  let nextMinutes = 0;
  return readArray(value, "the file").map((entry, i) => {
    const fields = readObject(entry, `[${i}]`);
    const order = readOrder(fields, `[${i}]`);
    const first = indices.get(order.id);
    if (first !== undefined) {
      throw new FormatError(`[${i}].id must be unique, got ${show(order.id)} as in [${first}]`);
    }
    indices.set(order.id, i);
    const script = readScript(fields.script, `[${i}].script`, nextMinutes);
    nextMinutes = script.placedAfterMinutes + MINUTES_BETWEEN_ORDERS;
    return { order, script };
  });
}

function readOrder(fields: Fields, at: string): Order {
  const customer = readObject(fields.customer, `${at}.customer`);
  const items = readArray(fields.items, `${at}.items`);
  const address = readObject(fields.address, `${at}.address`);
  const card = readObject(fields.card, `${at}.card`);
  return {
    id: readText(fields.id, `${at}.id`, /^[\w.-]{1,40}$/, "up to 40 letters, digits, _, - and ."),
    customer: {
      name: readText(customer.name, `${at}.customer.name`),
      email: readText(customer.email, `${at}.customer.email`),
    },
    currency: readText(fields.currency, `${at}.currency`, /^[A-Z]{3}$/, "three capital letters"),
    items: items.map((item, i) => readItem(item, `${at}.items[${i}]`)),
    address: {
      street: readText(address.street, `${at}.address.street`),
      postcode: readText(address.postcode, `${at}.address.postcode`),
      city: readText(address.city, `${at}.address.city`),
      country: readText(
        address.country,
        `${at}.address.country`,
        /^[A-Z]{2}$/,
        "two capital letters",
      ),
    },
    card: {
      token: readText(card.token, `${at}.card.token`),
      last4: readText(card.last4, `${at}.card.last4`, /^\d{4}$/, "a string of four digits"),
    },
  };
}

function readItem(value: unknown, at: string): OrderItem {
  const item = readObject(value, at);
  return {
    sku: readText(item.sku, `${at}.sku`),
    name: readText(item.name, `${at}.name`),
    quantity: readInteger(item.quantity, `${at}.quantity`, 1, 1000),
    unitCents: readInteger(item.unitCents, `${at}.unitCents`, 0, 1_000_000_000),
  };
}

/** Every field is optional. Unknown fields are refused, because a misspelt field would have no effect. */
function readScript(value: unknown = {}, at: string, placedByDefault: number): Script {
  const script = readObject(value, at, ["placedAfterMinutes", "card", "approval", "cancel"]);
  const card = readObject(script.card ?? {}, `${at}.card`, ["failures", "declined"]);
  const approval = readObject(
    script.approval ?? {},
    `${at}.approval`,
    ["afterMinutes", "approved", "by", "reason"],
  );
  const { placedAfterMinutes = placedByDefault } = script;
  const { failures = 2, declined } = card;
  const { afterMinutes = 60, approved = true, by = "workshop", reason } = approval;
  if (typeof approved !== "boolean") {
    throw new FormatError(`${at}.approval.approved must be true or false, got ${show(approved)}`);
  }
  return {
    placedAfterMinutes: readInteger(
      placedAfterMinutes,
      `${at}.placedAfterMinutes`,
      0,
      MAX_MINUTES,
    ),
    card: {
      failures: readInteger(failures, `${at}.card.failures`, 0, 100),
      ...declined === undefined ? {} : { declined: readText(declined, `${at}.card.declined`) },
    },
    approval: {
      approved,
      by: readText(by, `${at}.approval.by`),
      ...reason === undefined ? {} : { reason: readText(reason, `${at}.approval.reason`) },
      afterMinutes: readInteger(afterMinutes, `${at}.approval.afterMinutes`, 0, MAX_MINUTES),
    },
    ...script.cancel === undefined ? {} : { cancel: readCancel(script.cancel, `${at}.cancel`) },
  };
}

function readCancel(value: unknown, at: string): Script["cancel"] {
  const { afterMinutes, reason } = readObject(value, at, ["afterMinutes", "reason"]);
  return {
    afterMinutes: readInteger(afterMinutes, `${at}.afterMinutes`, 1, MAX_MINUTES),
    reason: readText(reason, `${at}.reason`),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function readObject(value: unknown, at: string, known?: readonly string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FormatError(`${at} must be an object, got ${show(value)}`);
  }
  const stranger = known && Object.keys(value).find((key) => !known.includes(key));
  if (stranger !== undefined) {
    throw new FormatError(`${at} may only have ${known!.join(", ")}, got ${show(stranger)}`);
  }
  return value as Fields;
}

function readArray(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new FormatError(`${at} must be a list with at least one entry, got ${show(value)}`);
}

function readText(
  value: unknown,
  at: string,
  pattern: RegExp = /^[^\p{Cc}]*\S[^\p{Cc}]*$/u,
  rule: string = "a non-empty string on one line",
): string {
  if (typeof value === "string" && pattern.test(value)) return value;
  throw new FormatError(`${at} must be ${rule}, got ${show(value)}`);
}

function readInteger(value: unknown, at: string, min: number, max: number): number {
  if (Number.isInteger(value) && value as number >= min && value as number <= max) {
    return value as number;
  }
  throw new FormatError(`${at} must be an integer from ${min} to ${max}, got ${show(value)}`);
}

/** Shows a JSON value in a message. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > 50 ? `${text.slice(0, 50)}…` : text;
}
