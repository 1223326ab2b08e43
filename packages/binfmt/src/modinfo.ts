/** Reads what a module says of itself: `.modinfo`, NUL-ended `key=value` strings (include/linux/moduleparam.h, MODULE_INFO). */
import { FormatError } from './format-error.ts';

export interface ModinfoEntry {
  readonly key: string;
  readonly value: string;
}

const utf8 = new TextDecoder('utf-8', { fatal: false });

/** The entries in order; a key may come several times (alias, softdep). Throws FormatError (`modinfo-*`). */
export function readModinfo(bytes: Uint8Array): ModinfoEntry[] {
  const entries: ModinfoEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    if (end < 0) throw new FormatError('modinfo-unterminated', 'The last string of .modinfo has no end', at);
    if (end > at) {
      const text = utf8.decode(bytes.subarray(at, end));
      const equals = text.indexOf('=');
      if (equals < 1)
        throw new FormatError(
          'modinfo-entry',
          `.modinfo has ${JSON.stringify(text.slice(0, 80))}; key=value expected`,
          at,
        );
      entries.push({ key: text.slice(0, equals), value: text.slice(equals + 1) });
    }
    at = end + 1;
  }
  return entries;
}
