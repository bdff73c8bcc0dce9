/**
 * How a value is shown in an error message: on one line, not too long, whatever it is.
 *
 * @module
 */

/** Shows any value in an error message, on one line and not too long. Never throws. */
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
    // anything can be in the place of a constructor and of its name
  }
  if (type === "function") return name ? `a function "${name}"` : "a function";
  return `${/^([aeio]|$)/i.test(name) ? "an" : "a"} ${name || "object"}`;
}

/** Shows where in a value something is, such as `.items[0]["a b"]`, not too long. */
export function showPath(path: readonly (string | number)[]): string {
  const text = path.map((key) =>
    typeof key === "number" ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  ).join("");
  return text.length > 200 ? `${text.slice(0, 100)}…${text.slice(-100)}` : text;
}

function short(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Whether an object is plain: of class `Object` or of none. */
export function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** What an object is, unless it pretends: "Object" for one of a class too, "Date" … */
export function tagOf(value: object): string {
  return isPlain(value) ? "Object" : Object.prototype.toString.call(value).slice(8, -1);
}
