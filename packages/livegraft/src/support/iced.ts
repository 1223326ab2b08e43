/** The x86 decoder and formatter, loaded when it is first needed: that takes 80 ms. */
import { createRequire } from 'node:module';

export type Iced = typeof import('iced-x86');
let loaded: Iced | undefined;

export function iced(): Iced {
  loaded ??= createRequire(import.meta.url)('iced-x86') as Iced;
  return loaded;
}
