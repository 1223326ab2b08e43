/**
 * Who refers to a global function from units that the patch does not compile: read from the shipped vmlinux and modules. Where a changed
 * header declares the function, all C that includes it is compiled with the new prototype, and what is left is assembly.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { keptUnitIndex } from '../../kbuild/unit-index.ts';
import { readModule } from '../../kernel/modules.ts';
import type { Kernel } from '../../kernel/types.ts';
import { changedDeclarations } from '../../patch/changes.ts';
import { type Declaration, declarationsOf } from '../../patch/declarations.ts';
import { importersOf } from '../importers.ts';
import type { ReviewedUnit, ReviewSubject } from '../subject.ts';
import { referrersIn, referrersInModule } from './referrers.ts';

/** In words, each: `f`, `the module m`, `arch/x86/entry/entry_64.S`. */
export async function outsideUsers(
  { kernel, image, units, files }: Pick<ReviewSubject, 'kernel' | 'image' | 'units' | 'files'>,
  unit: ReviewedUnit,
  name: string,
): Promise<string[]> {
  const headers = [...files.values()].filter(({ path }) => path.endsWith('.h'));
  const isTold = headers.some(({ path, original, patched }) =>
    changedDeclarations(path, original, patched).some(({ names }) => names.includes(name)),
  );
  if (isTold) return assemblyNaming(kernel, name);
  const { own } = unit.space;
  const compiled = units.filter((each) => each.space.own === own && !declaresAlone(each, name));
  const importers = image.exports.has(name) ? await importersOf(kernel, new Map([[name, own.name]])) : undefined;
  return [...(await inOwn()), ...(importers?.get(name) ?? []).map((module) => `the module ${module}`)];

  async function inOwn(): Promise<string[]> {
    if (own.name !== 'vmlinux') {
      const users = referrersInModule(await readModule(kernel, own.name), name);
      return users.filter((user) => !own.named(user).every(({ address }) => isCompiled(user, address)));
    }
    const address = unit.placement.addressOf(name);
    const users = address === undefined ? [] : referrersIn(image, address);
    return users.filter((user) => !isCompiled(user.name, user.address)).map((user) => user.name);
  }

  function isCompiled(symbol: string, address: bigint): boolean {
    return compiled.some(({ placement }) => placement.addressOf(symbol) === address);
  }
}

/** Whether a unit has a declaration of its own, which the patch leaves as it is. */
function declaresAlone({ text }: ReviewedUnit, name: string): boolean {
  const declaring = (side: string): string[] =>
    declarationsOf(side)
      .filter((each) => each.kind === 'other' && each.names.includes(name))
      .map(wordsOf);
  const old = declaring(text.original);
  return declaring(text.patched).some((each) => old.includes(each));
}

function wordsOf({ tokens }: Declaration): string {
  return tokens.map((token) => token.text).join(' ');
}

/** Assembly of this configuration that names the function; nothing where kbuild has not been asked for the list. */
async function assemblyNaming(kernel: Kernel, name: string): Promise<string[]> {
  const index = await keptUnitIndex(kernel);
  const word = new RegExp(`\\b${name}\\b`);
  const sources = (index?.texts ?? []).filter(({ kind, generated }) => kind === 'assembly' && !generated);
  const named = await Promise.all(
    sources.map(async ({ source }) => {
      const text = await readFile(join(kernel.paths.source, source), 'latin1').catch(() => '');
      return word.test(text) ? [source] : [];
    }),
  );
  return named.flat();
}
