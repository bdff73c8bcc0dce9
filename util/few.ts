/**
 * A set of objects that takes no memory of its own while it has one member or none. Most sets of a run stay that small.
 *
 * The set is a value that its owner keeps in a field: `undefined`, the only member, or a `Set`.
 *
 * @module
 */

/** The members, which are objects and no sets. */
export type Few<T extends object> = undefined | T | Set<T>;

/** Adds a member, and returns the set. */
export function withMember<T extends object>(few: Few<T>, member: T): Few<T> {
  if (few === undefined || few === member) return member;
  return few instanceof Set ? few.add(member) : new Set([few, member]);
}

/** Removes a member if it is one, and returns the set. */
export function withoutMember<T extends object>(few: Few<T>, member: T): Few<T> {
  if (few instanceof Set) return few.delete(member) && few.size === 0 ? undefined : few;
  return few === member ? undefined : few;
}

/** The members, in the order in which they were added. */
export function members<T extends object>(few: Few<T>): Iterable<T> {
  if (few === undefined) return [];
  return few instanceof Set ? few : [few];
}

/** Whether it has a member. */
export function has<T extends object>(few: Few<T>, member: T): boolean {
  return few instanceof Set ? few.has(member) : few === member;
}
