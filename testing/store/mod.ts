/**
 * The contract of `WorkflowStore` as cases for any test runner: checks a store of your own.
 *
 * @module
 */

export {
  type StoreCase,
  storeCases,
  type StoreCasesOptions,
  type StoreFactory,
  type StoreMember,
  testStore,
  type TestStoreOptions,
} from "./store_cases.ts";
