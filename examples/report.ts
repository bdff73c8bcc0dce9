/**
 * Formats the demo's story as plain text, in lines of at most 100 characters.
 *
 * @module
 */

import type { WorkflowEvent, WorkflowState } from "@rockpool/workflow";
import { formatDuration, formatSince, formatTimeline } from "@rockpool/workflow/pictures";
import { showError } from "../util/show_value.ts";
import { formatMoney, totalCents } from "./order.ts";
import type { OrderResult } from "./order_workflow.ts";
import { DOWNTIME_MS, type OrderStory, type Story } from "./story.ts";

import { wrap } from "./wrap.ts";

const WIDTH = 100;

/**
 * Formats the whole story.
 *
 * @param story The story.
 * @param source Where the orders come from, for the first line.
 */
export function formatStory(story: Story, source: string): string {
  return [formatOpening(story, source), ...story.orders.map(formatOrder), formatSummary(story)]
    .join("\n\n");
}

function formatOpening({ orders, stop }: Story, source: string): string {
  const count = plural(orders.length, "order");
  return [
    paragraph(
      `${count} from ${source}: one workflow each, on an in-memory store and a virtual clock.`,
    ),
    paragraph(
      `At ${formatSince(stop.afterMs)} the executor was stopped while ${stop.activity} of ` +
        `${stop.orderId} was in flight: attempt ${stop.attempt} had done its work, and its answer was lost. ` +
        `${formatDuration(DOWNTIME_MS)} later a new executor called recover() on the same store and resumed ` +
        `${stop.recovered.length} of ${count}.`,
    ),
    paragraph(
      "The timelines are the stored histories; times count from the start of each workflow.",
    ),
  ].join("\n\n");
}

function formatOrder(story: OrderStory): string {
  const { order, state, marks, notes } = story;
  const { id, customer, address, items, currency, card } = order;
  const contents = items.map(({ quantity, name }) => `${quantity} × ${name}`).join(" · ");
  const total = formatMoney(totalCents(order), currency);
  return [
    rule(`${id}  ${customer.name}, ${address.city} ${address.country}`),
    paragraph(contents),
    paragraph(`${total}, card ending in ${card.last4}`),
    "",
    formatTimeline(state, { marks }),
    "",
    paragraph(describeEnd(state), state.status.padEnd(11)),
    paragraph(describeRuns(story), "really ran "),
    ...notes.map((note) => paragraph(note, "too late   ")),
  ].join("\n");
}

function describeEnd(state: WorkflowState): string {
  if (state.error !== undefined) return showError(state.error);
  const result = state.result as OrderResult | undefined;
  switch (result?.outcome) {
    case "shipped":
      return `shipped as ${result.trackingNumber}, paid with ${result.paymentId}`;
    case "refused":
      return `refused by ${result.by}: ${result.reason}`;
    default:
      return "without a result";
  }
}

function describeRuns({ runs, state }: OrderStory): string {
  const recorded = countAttempts(state.history);
  return Array.from(runs, ([name, count]) => {
    const known = recorded.get(name) ?? 0;
    return `${name} ${count}${count === known ? "" : ` (${known} recorded)`}`;
  }).join(", ");
}

function formatSummary({ orders, shop, tookMs }: Story): string {
  const names = [...new Set(orders.flatMap(({ runs }) => [...runs.keys()]))];
  let ran = 0;
  let recorded = 0;
  const rows = orders.map(({ order, state, runs }) => {
    const attempts = countAttempts(state.history);
    const cells = names.map((name) => {
      const count = runs.get(name) ?? 0;
      const known = attempts.get(name) ?? 0;
      ran += count;
      recorded += known;
      return count !== known ? `${count} (${known})` : count === 0 ? "·" : String(count);
    });
    return [order.id, state.status, ...cells];
  });

  const { payments, reserved, shipped } = shop;
  const cards = new Set(payments.map(({ orderId }) => orderId)).size;
  const surplus = payments.length - cards;
  const voided = payments.filter((payment) => payment.voided).length;
  const lost = ran === recorded ? "none" : String(ran - recorded);
  return [
    rule("How often each activity really ran (in brackets: the recorded runs, if they differ)"),
    formatTable([["", "", ...names], ...rows]),
    "",
    paragraph(
      `${plural(ran, "run")} of activities, ${recorded} with a recorded outcome; lost in the stop: ${lost}. ` +
        "An activity runs at least once; one whose outcome is recorded never runs again.",
    ),
    paragraph(
      `${plural(shipped.length, "order")} shipped. Money was taken from ${plural(cards, "card")}, ` +
        `${surplus === 0 ? "from none twice" : `${surplus} times too often`}, and given back to ${voided}. ` +
        `Stock still set aside: ${reserved.length === 0 ? "none" : reserved.join(", ")}.`,
    ),
    paragraph(`On the virtual clock ${formatDuration(tookMs)} passed.`),
  ].join("\n");
}

/**
 * Counts the attempts whose outcome is in a history.
 *
 * @returns The number for each activity, by name.
 */
export function countAttempts(history: readonly WorkflowEvent[]): ReadonlyMap<string, number> {
  const names = new Map<number, string>();
  const counts = new Map<string, number>();
  for (const event of history) {
    switch (event.type) {
      case "activity_started":
        names.set(event.seq, event.name);
        break;
      case "activity_attempt_failed":
      case "activity_completed":
      case "activity_failed": {
        const name = names.get(event.seq)!;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
  }
  return counts;
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) => {
    const line = row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd();
    return wrap(line, WIDTH, 1)[0];
  }).join("\n");
}

function rule(title: string): string {
  return wrap(`━━ ${title} `, WIDTH, 1)[0].padEnd(WIDTH, "━");
}

/** Breaks a text into lines that are indented to the end of `label`. */
function paragraph(text: string, label = ""): string {
  return wrap(text, WIDTH - label.length)
    .map((line, i) => (i === 0 ? label : " ".repeat(label.length)) + line).join("\n");
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
