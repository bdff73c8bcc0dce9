/**
 * The names of `@temporalio/activity`, for activities that run on this package by `@rockpool/workflow/temporal`.
 *
 * @module
 */

export type {
  ActivityDefinitionOptions,
  ActivityFunction,
  ActivityInterface,
  ActivityTypeInfoMap,
  UntypedActivities,
} from "../common/definitions.ts";
export { CompleteAsyncError } from "../common/errors.ts";
export { ApplicationFailure, CancelledFailure } from "../common/failures.ts";
export {
  activityInfo,
  asyncLocalStorage,
  cancellationDetails,
  cancellationSignal,
  cancelled,
  Context,
  getClient,
  heartbeat,
  type Info,
  log,
  metricMeter,
  sleep,
} from "./context.ts";
export { setActivityOptions } from "./definition.ts";
export {
  type CancelReason,
  defaultActivityInfo,
  MockActivityEnvironment,
  type MockActivityEnvironmentOptions,
} from "./mock.ts";
export type {
  ActivityExecuteInput,
  ActivityInboundCallsInterceptor,
  ActivityInterceptors,
  ActivityInterceptorsFactory,
  ActivityOutboundCallsInterceptor,
  GetLogAttributesInput,
  GetMetricTagsInput,
} from "./interceptors.ts";
