/** Stands in for `@temporalio/envconfig`: there is no server to connect to. */
export const loadClientConnectConfig = (): { connectionOptions: Record<string, never> } => ({ connectionOptions: {} });
