/**
 * Assertions that the compiler checks. A test of a type passes if the file type-checks.
 *
 * @module
 */

/** `true` if two types are the same, and not only assignable to each other. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Compiles if the type is `true`. */
export function assertType<_Is extends true>(): void {}

/** Takes code that must compile, or must not, and must not run. */
export function compiles(_code: (...args: never) => unknown): void {}
