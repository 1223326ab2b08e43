/** What commands get from outside. */
import type { CommandContext } from '@stricli/core';

export interface Context extends CommandContext {
  /** Aborted by Ctrl-C and by a request to end. */
  readonly signal: AbortSignal;
}
