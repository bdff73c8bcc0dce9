/**
 * The metrics. Their attributes are names of workflows and activities, and never IDs: each new value of an attribute is a new time
 * series.
 *
 * @module
 */

import type { OpenRun } from "../options.ts";
import type { OtelAttributes, OtelCounter, OtelHistogram, OtelMeter } from "./api.ts";

/** Bounds of histograms of seconds: from milliseconds to days. */
const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 3600, 86_400, 604_800];
/** Bounds of histograms of counts. */
const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

export class Metrics {
  readonly started: OtelCounter;
  readonly active: OtelCounter;
  readonly runSeconds: OtelHistogram;
  readonly attempts: OtelCounter;
  readonly attemptSeconds: OtelHistogram;
  readonly queueSeconds: OtelHistogram;
  readonly replaySeconds: OtelHistogram;
  readonly replayedEvents: OtelHistogram;
  readonly appendSeconds: OtelHistogram;
  readonly conflicts: OtelCounter;
  /** The executors whose runs are counted. */
  readonly observed = new Set<{ openRuns(): readonly OpenRun[] }>();

  constructor(meter: OtelMeter) {
    const seconds = (name: string, description: string) =>
      meter.createHistogram(name, { description, unit: "s", advice: { explicitBucketBoundaries: SECONDS } });
    this.started = meter.createCounter("rockpool.workflow.started", {
      description: "Runs that were started.",
      unit: "{run}",
    });
    this.active = meter.createUpDownCounter("rockpool.workflow.active", {
      description: "Runs whose code is in the memory of this process.",
      unit: "{run}",
    });
    this.runSeconds = seconds("rockpool.workflow.duration", "Time from the start of a run to its end.");
    this.attempts = meter.createCounter("rockpool.activity.attempts", {
      description: "Attempts of activities that have ended.",
      unit: "{attempt}",
    });
    this.attemptSeconds = seconds("rockpool.activity.duration", "Duration of an attempt of an activity.");
    this.queueSeconds = seconds(
      "rockpool.activity.queue_time",
      "Time from the call of an activity to its first attempt.",
    );
    this.replaySeconds = seconds("rockpool.replay.duration", "Duration of a replay.");
    this.replayedEvents = meter.createHistogram("rockpool.replay.events", {
      description: "Events that a replay repeats.",
      unit: "{event}",
      advice: { explicitBucketBoundaries: COUNTS },
    });
    this.appendSeconds = seconds("rockpool.store.append.duration", "Duration of an append to the store.");
    this.conflicts = meter.createCounter("rockpool.store.append.conflicts", {
      description: "Appends that lost against another writer.",
      unit: "{append}",
    });
    meter.createObservableGauge("rockpool.runs.waiting", {
      description: "Live runs that wait, by what they wait for.",
      unit: "{run}",
    }).addCallback((result) => {
      for (const [type, count] of this.#waiting()) result.observe(count, { "rockpool.wait.type": type });
    });
  }

  /** How many runs wait for each type of operation. A run that waits for several counts for each type once. */
  #waiting(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const executor of this.observed) {
      for (const { waitsFor } of executor.openRuns()) {
        for (const type of new Set(waitsFor.map(({ type }) => type))) counts.set(type, (counts.get(type) ?? 0) + 1);
      }
    }
    return counts;
  }

  runEnded(attributes: OtelAttributes, status: string, ms: number): void {
    this.runSeconds.record(Math.max(0, ms / 1000), { ...attributes, "rockpool.workflow.status": status });
  }
}
