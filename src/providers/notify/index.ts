import { webhookNotifier } from "./webhook.ts"

/** Every way to tell people and systems: one file, one line. */
export const notifiers = {
  webhook: webhookNotifier,
} as const
