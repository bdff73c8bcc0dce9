/** Replaces globals of the runtime, also those without a setter, until the result is disposed. */
export function replaceGlobals(globals: Record<string, unknown>): Disposable {
  const before = Object.getOwnPropertyDescriptors(globalThis) as Record<string, PropertyDescriptor>;
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  return {
    [Symbol.dispose]() {
      for (const name of Object.keys(globals)) Object.defineProperty(globalThis, name, before[name]!);
    },
  };
}
