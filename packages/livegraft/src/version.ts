/** The version of livegraft, as manifests and `--version` state it. */
import { createRequire } from 'node:module';

export const version: string = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
