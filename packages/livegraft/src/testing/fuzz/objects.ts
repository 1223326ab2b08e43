/** Object files to start from: pairs of whole units, of units with one section or two, and kpatch's where the shared folder is. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { objectBytes } from '../../objdiff/testing/object.ts';
import { joined, type Lines, unit } from './units.ts';

/** The code and one more section or two: damage is more likely to meet what matters where there is little else. */
function smallUnits(): (readonly [Lines, Lines])[] {
  const [before, after] = [unit({}), unit({ constant: 8 })];
  const part = (all: Lines, wanted: readonly string[]): Lines =>
    Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)));
  const common = ['.text.main', '.text.jumps', '.rodata.str1.1'];
  const others = Object.keys(before).filter((name) => !common.includes(name));
  const pairs = others.map((name) => {
    const together = [
      ['.altinstructions', '.altinstr_replacement'],
      ['.orc_unwind_ip', '.orc_unwind'],
      ['__ex_table', '.fixup'],
      ['.text.jumps', '.rodata.jumps'],
    ].find((each) => each.includes(name));
    const wanted = [...common, '.text.helper.isra.0', name, ...(together ?? [])];
    return [part(before, wanted), part(after, wanted)] as const;
  });
  return [...pairs, [part(before, common), part(unit({ line: 44 }), common)]];
}

/** Pairs are next to each other: original, patched. */
export function objects(): Uint8Array[] {
  const whole = [unit({}), unit({ constant: 8, extra: true }), unit({}), unit({ line: 44 })];
  const side = [joined, { ...joined, '.data': { ...joined['.data'], bytes: Array<number>(40).fill(0) } }];
  return [...whole, ...side, ...smallUnits().flat()].map(objectBytes);
}

/** kpatch's object pairs, where the shared folder is; those of at most `limit` bytes. */
export function sharedObjects(limit: number): Uint8Array[] {
  const folder = fileURLToPath(new URL('../../../../../../shared/kpatch-unit/x86_64/', import.meta.url));
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    if (!name.endsWith('.ORIG.o')) return [];
    const pair = [name, name.replace('.ORIG.', '.PATCHED.')]
      .filter((each) => names.includes(each))
      .map((each) => readFileSync(folder + each));
    return pair.length === 2 && pair.every((bytes) => bytes.length <= limit) ? pair : [];
  });
}
