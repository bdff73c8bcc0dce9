/**
 * Says in a short phrase what a value is, for error messages: `"pay"`, `-1`, `an Array`, `a function "charge"`.
 *
 * Never reads the content of an object. `show_value.ts` does that.
 *
 * @module
 */

/** Says what a value is, on one line of at most about 100 characters. Never throws. */
export function show(value: unknown): string {
  const type = typeof value;
  if (type === "string") return JSON.stringify(short(value as string));
  if (value === null || (type !== "object" && type !== "function")) {
    return short(String(value)) + (type === "bigint" ? "n" : "");
  }
  let name = "";
  try {
    const named = (type === "function" ? value : (value as object).constructor) as { name: unknown };
    if (typeof named.name === "string") name = short(named.name);
  } catch {
    // The constructor or its name can be anything, such as a getter that throws.
  }
  if (type === "function") return name ? `a function "${name}"` : "a function";
  return `${/^([aeio]|$)/i.test(name) ? "an" : "a"} ${name || "object"}`;
}

/** Shows a path into a value, such as `.items[0]["a b"]`, with at most about 200 characters. */
export function showPath(path: readonly (string | number)[]): string {
  const text = path.map((key) =>
    typeof key === "number" ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  ).join("");
  return text.length > 200 ? `${text.slice(0, 100)}…${text.slice(-100)}` : text;
}

function short(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Whether the prototype of an object is `Object.prototype` or `null`. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The kind of an object: `"Date"`, `"Map"`, …; `"Object"` for a plain one and for an instance of a user's class. */
export function tagOf(value: object): string {
  return isPlain(value) ? "Object" : Object.prototype.toString.call(value).slice(8, -1);
}
