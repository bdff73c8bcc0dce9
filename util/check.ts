/**
 * Checks of arguments at the call that takes them. Each names the action that cannot be done, the argument, the rule and
 * the value: `Cannot execute activity "pay": "timeoutMs" must be a finite number above 0, got -1`.
 *
 * `action` and `subject` are the action and what it is done to, such as `execute activity` and the activity's name.
 *
 * @module
 */

import { show, tagOf } from "./show.ts";

/** The error for an argument that breaks `rule`. */
export function invalid(
  name: string,
  value: unknown,
  rule: string,
  action: string,
  subject?: unknown,
  type: typeof TypeError | typeof RangeError = TypeError,
): TypeError | RangeError {
  return new type(`${cannot(action, subject)}: "${name}" must be ${rule}, got ${show(value)}`);
}

/** The beginning of an error's message. */
export function cannot(action: string, subject?: unknown): string {
  return `Cannot ${action}${subject === undefined ? "" : ` ${show(subject)}`}`;
}

export function checkFunction(name: string, value: unknown, action: string, subject?: unknown): void {
  if (typeof value !== "function") throw invalid(name, value, "a function", action, subject);
}

export function checkObject(name: string, value: unknown, action: string, subject?: unknown): void {
  if (typeof value !== "object" || value === null) throw invalid(name, value, "an object", action, subject);
}

export function checkArray(name: string, value: unknown, action: string, subject?: unknown): void {
  if (!Array.isArray(value)) throw invalid(name, value, "an array", action, subject);
}

/** Checks the option `signal` for `undefined` or an abort signal. */
export function checkSignal(signal: unknown, action: string, subject?: unknown): void {
  if (signal === undefined) return;
  const given = signal as Partial<AbortSignal> | null; // not `instanceof`: it can be of another realm
  if (
    typeof given?.aborted === "boolean" && typeof given.addEventListener === "function" &&
    typeof given.removeEventListener === "function"
  ) return;
  throw invalid("signal", signal, "an AbortSignal", action, subject);
}

/**
 * Checks for an object of options: every property must be the name of an option. Names the option that was likely meant.
 *
 * @param options What was given.
 * @param known Has the names of all options.
 * @param name What the argument is called.
 * @throws {TypeError} If it is no object, or has a property that is no option.
 */
export function checkOptions(
  options: unknown,
  known: object,
  action: string,
  subject?: unknown,
  name = "options",
): void {
  if (options === noOptions) return;
  checkObject(name, options, action, subject);
  if (Array.isArray(options)) throw invalid(name, options, "an object", action, subject);
  for (const key in options as object) { // without an array of the keys: some calls are short
    if (Object.hasOwn(known, key) || !Object.hasOwn(options as object, key)) continue;
    const names = Object.keys(known);
    const likely = closest(key, names);
    const way = likely === undefined
      ? `the options are ${names.map(show).join(", ")}`
      : `did you mean ${show(likely)}?`;
    throw new TypeError(`${cannot(action, subject)}: "${name}" has no option ${show(key)}; ${way}`);
  }
}

/** Stands for options that were not given: no object is made, and nothing is checked. */
export const noOptions: Readonly<Record<never, never>> = /* @__PURE__ */ Object.freeze({});

/** The name that is most like another one, unless half of it differs. */
function closest(name: string, names: readonly string[]): string | undefined {
  let likely: string | undefined;
  let least = Infinity;
  for (const candidate of names) {
    const edits = distance(name.slice(0, 100).toLowerCase(), candidate.toLowerCase());
    if (edits >= least || edits > Math.max(name.length, candidate.length) / 2) continue;
    likely = candidate;
    least = edits;
  }
  return likely;
}

/** How many letters must be added, removed or changed to make one text of another. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}

/** As `instanceof`, for a value that a user threw: a proxy can throw even at that. */
export function isA<T>(value: unknown, type: abstract new (...args: never) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** Checks for a string that is not empty. */
export function checkText(name: string, value: unknown, action: string, subject?: unknown): void {
  if (typeof value !== "string" || value === "") throw invalid(name, value, "a non-empty string", action, subject);
}

/** Checks for `undefined` or a string. */
export function checkOptionalString(name: string, value: unknown, action: string, subject?: unknown): void {
  if (value !== undefined && typeof value !== "string") throw invalid(name, value, "a string", action, subject);
}

/** Checks for `undefined` or a boolean. */
export function checkBoolean(name: string, value: unknown, action: string, subject?: unknown): void {
  if (value !== undefined && typeof value !== "boolean") throw invalid(name, value, "a boolean", action, subject);
}

/** Stands for labels or headers of which there are none. */
export const noTexts: Readonly<Record<string, string>> = /* @__PURE__ */ Object.freeze({});

/**
 * Checks for `undefined` or texts by name, such as labels, and returns them one by one.
 *
 * @param orNull Whether a text may be `null`.
 */
export function checkTexts<OrNull extends boolean = false>(
  name: string,
  value: unknown,
  action: string,
  subject?: unknown,
  orNull?: OrNull,
): [string, OrNull extends true ? string | null : string][] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || tagOf(value) !== "Object") {
    throw invalid(name, value, "an object of strings", action, subject);
  }
  const entries = Object.entries(value);
  for (const [key, text] of entries) {
    if (typeof text === "string" || orNull && text === null) continue;
    throw invalid(`${name}.${key}`, text, orNull ? "a string or null" : "a string", action, subject);
  }
  return entries;
}

/** Checks for `undefined` or one of some strings. */
export function checkChoice(
  name: string,
  value: unknown,
  of: readonly string[],
  action: string,
  subject?: unknown,
): void {
  if (value === undefined || of.includes(value as string)) return;
  throw invalid(name, value, `one of ${of.map(show).join(", ")}`, action, subject);
}

/** Checks for a finite number from `min`; `Number.MIN_VALUE` stands for "above 0". */
export function checkNumber(name: string, value: unknown, min: number, action: string, subject?: unknown): void {
  if (typeof value === "number" && value >= min && Math.abs(value) < Infinity) return;
  const rule = `a finite number ${min === Number.MIN_VALUE ? "above 0" : min === -Infinity ? "" : `from ${min}`}`;
  throw invalid(name, value, rule.trimEnd(), action, subject, RangeError);
}

/** Checks for a whole number from `min`. */
export function checkInteger(name: string, value: unknown, min: number, action: string, subject?: unknown): void {
  if (!Number.isInteger(value) || value as number < min) {
    throw invalid(name, value, `an integer from ${min}`, action, subject, RangeError);
  }
}

/**
 * Checks for a name, or for a definition of the right kind, and returns the name.
 *
 * @param kind The kind of definition, as in `defineSignal`.
 * @param what What the argument is called.
 */
export function definedName(
  kind: "signal" | "query" | "update",
  definition: unknown,
  action: string,
  subject?: unknown,
  what: string = kind,
): string {
  if (typeof definition !== "object" || definition === null) {
    checkText(what, definition, action, subject);
    return definition as string;
  }
  const { kind: given, name } = definition as { readonly kind?: unknown; readonly name?: unknown };
  if (given === kind) {
    checkText(`${what}.name`, name, action, subject);
    return name as string;
  }
  const maker = `define${kind[0].toUpperCase()}${kind.slice(1)}()`;
  throw invalid(what, definition, `a name, or a definition made by ${maker}`, action, subject);
}
