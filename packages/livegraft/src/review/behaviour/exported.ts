/** Replaced functions that are exported: their callers are in other modules too. */
import { basename } from 'node:path';
import { STB } from '@livegraft/binfmt/elf/constants';
import type { Diagnostic } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-behaviour.ts';
import { importersOf } from '../importers.ts';
import type { ReviewSubject } from '../subject.ts';

/** Notes, in the order of the replaced functions. */
export async function exportedChanges({
  kernel,
  image,
  extraction,
}: Pick<ReviewSubject, 'kernel' | 'image' | 'extraction'>): Promise<Diagnostic[]> {
  const found = extraction.replaced.flatMap(({ unit, verdict }) => {
    const name = verdict.original!.name;
    const known = image.exports.get(name);
    const object = known && basename(known.owner).replaceAll('-', '_');
    // a static function may have the name of one that another object exports
    const isGlobal = verdict.original!.symbols.some((symbol) => symbol.name === name && symbol.binding !== STB.LOCAL);
    if (known === undefined || object !== unit.space.own.name || !isGlobal) return [];
    return [{ unit: unit.source, name, object, gpl: known.gpl }];
  });
  if (found.length === 0) return [];
  const importers = await importersOf(kernel, new Map(found.map(({ name, object }) => [name, object])));
  return found.map((each) => {
    const users = importers?.get(each.name);
    return say.exportedChanged(users === undefined ? each : { ...each, importers: users });
  });
}
