/**
 * The types of Temporal's metrics, and a meter that counts nothing.
 *
 * @module
 */

/**
 * Tags of a value.
 *
 * @category Temporal
 */
export type MetricTags = Record<string, string | number | boolean>;

/**
 * Integers, or any numbers.
 *
 * @category Temporal
 */
export type NumericMetricValueType = "int" | "float";

/**
 * The kind of a metric.
 *
 * @category Temporal
 */
export type MetricKind = "counter" | "histogram" | "gauge" | "up-down-counter";

/**
 * What every metric has.
 *
 * @category Temporal
 */
export interface Metric {
  /** The name. */
  name: string;
  /** The unit. */
  unit?: string | undefined;
  /** A text for people. */
  description?: string | undefined;
  /** The kind. */
  kind: MetricKind;
  /** Integers, or any numbers. */
  valueType: NumericMetricValueType;
}

/**
 * Counts up.
 *
 * @category Temporal
 */
export interface MetricCounter extends Metric {
  /** Adds a number from 0. */
  add(value: number, extraTags?: MetricTags): void;
  /** Returns the counter with more tags. */
  withTags(tags: MetricTags): MetricCounter;
  /** The kind. */
  kind: "counter";
  /** Integers. */
  valueType: "int";
}

/**
 * Collects values.
 *
 * @category Temporal
 */
export interface MetricHistogram extends Metric {
  /** Takes a value. */
  record(value: number, extraTags?: MetricTags): void;
  /** Returns the histogram with more tags. */
  withTags(tags: MetricTags): MetricHistogram;
  /** The kind. */
  kind: "histogram";
}

/**
 * Has a value.
 *
 * @category Temporal
 */
export interface MetricGauge extends Metric {
  /** Sets the value. */
  set(value: number, extraTags?: MetricTags): void;
  /** Returns the gauge with more tags. */
  withTags(tags: MetricTags): MetricGauge;
  /** The kind. */
  kind: "gauge";
}

/**
 * Counts up and down.
 *
 * @category Temporal
 */
export interface MetricUpDownCounter extends Metric {
  /** Adds a number. */
  add(value: number, extraTags?: MetricTags): void;
  /** Returns the counter with more tags. */
  withTags(tags: MetricTags): MetricUpDownCounter;
  /** The kind. */
  kind: "up-down-counter";
  /** Integers. */
  valueType: "int";
}

/**
 * Makes metrics.
 *
 * @category Temporal
 */
export interface MetricMeter {
  /** Makes a counter. */
  createCounter(name: string, unit?: string, description?: string): MetricCounter;
  /** Makes a histogram. */
  createHistogram(
    name: string,
    valueType?: NumericMetricValueType,
    unit?: string,
    description?: string,
  ): MetricHistogram;
  /** Makes a gauge. */
  createGauge(name: string, valueType?: NumericMetricValueType, unit?: string, description?: string): MetricGauge;
  /** Makes a counter that also counts down. */
  createUpDownCounter?(name: string, unit?: string, description?: string): MetricUpDownCounter;
  /** Returns the meter with more tags. */
  withTags(tags: MetricTags): MetricMeter;
}

/**
 * A meter that counts nothing.
 *
 * @category Temporal
 */
export const noopMetricMeter: MetricMeter & Required<Pick<MetricMeter, "createUpDownCounter">> = {
  createCounter: (name, unit, description) => metric({ name, unit, description, kind: "counter", valueType: "int" }),
  createHistogram: (name, valueType = "int", unit, description) =>
    metric({ name, unit, description, kind: "histogram", valueType }),
  createGauge: (name, valueType = "int", unit, description) =>
    metric({ name, unit, description, kind: "gauge", valueType }),
  createUpDownCounter: (name, unit, description) =>
    metric({ name, unit, description, kind: "up-down-counter", valueType: "int" }),
  withTags: (): MetricMeter => noopMetricMeter,
};

/** A metric of any kind, which takes values and does nothing. */
function metric<Made extends Metric>(of: Metric): Made {
  const made: unknown = { ...of, add() {}, record() {}, set() {}, withTags: () => made };
  return made as Made;
}
