/** Changes that no function's verdict shows: what is gone after start-up, what acts by being there, what has no name. */
import { createHash } from 'node:crypto';
import { SHF } from '@livegraft/binfmt/elf/constants';
import type { ElfSection } from '@livegraft/binfmt/elf/types';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import * as say from '../diagnostics/objdiff.ts';
import type { Atom, Target } from './atoms.ts';
import { type Comparison, mask, type Side } from './compare.ts';
import type { FunctionVerdict } from './diff.ts';
import { isContentOnly } from './names.ts';
import { within } from './relocations.ts';
import { isSanitizerData, roleOf } from './sections.ts';

/** What is used while the kernel or module starts, and is gone then. */
export function onceFindings(
  unit: string,
  functions: readonly FunctionVerdict[],
  original: Side,
  patched: Side,
  comparison: Comparison,
): Diagnostic[] {
  const code = functions.filter((f) => f.verdict !== 'unchanged' && (f.patched ?? f.original)!.role === 'once');
  const isData = (atom: Atom): boolean => atom.kind === 'data' && atom.role === 'once' && !isContentOnly(atom);
  const { originalOf, patchedOf } = comparison.correlation;
  const data = patched.object.atoms.filter(isData).filter((atom) => {
    const before = originalOf.get(atom);
    // a new table entry (`.init.setup`) acts by being there; other new data only through the code that uses it
    return before === undefined
      ? !/^\.(init|exit)\.(ro)?data/.test(atom.section.name)
      : comparison.difference(before, atom) !== undefined;
  });
  const gone = original.object.atoms.filter(
    (atom) => isData(atom) && !patchedOf.has(atom) && !/^\.(init|exit)\.(ro)?data/.test(atom.section.name),
  );
  return [...code, ...data, ...gone].map(({ name }) => say.initChanged({ unit, name }));
}

/** Code and data that has no name and that nothing refers to must be what it was: nobody else would notice. */
export function unnamedFindings(unit: string, original: Side, patched: Side, comparison: Comparison): Diagnostic[] {
  const isUnnamed = (atom: Atom): boolean => atom.kind === 'unnamed' && ['text', 'data', 'rodata'].includes(atom.role);
  const before = new Map<string, Atom[]>();
  for (const atom of original.object.atoms.filter(isUnnamed)) {
    const key = looksOf(original, atom);
    const list = before.get(key);
    if (list === undefined) before.set(key, [atom]);
    else list.push(atom);
  }
  const other = patched.object.atoms
    .filter(isUnnamed)
    .filter((atom) => !(before.get(looksOf(patched, atom)) ?? []).some((old) => comparison.sameContent(old, atom)));
  if (other.length === 0) return [];
  const reached = new Set<Atom>();
  const { object } = patched;
  for (const atom of object.atoms) {
    for (const { target } of object.references(atom))
      if (target.kind === 'atom' && target.atom !== atom) reached.add(target.atom);
  }
  // what a check of UBSAN would have reported stays there when the compiler finds the check superfluous
  return other
    .filter((atom) => !reached.has(atom) && !isSanitizerData(atom.section))
    .map((atom) => say.unnamedChanged({ unit, section: atom.section.name, start: atom.start, size: atom.size }));
}

/** What two unnamed pieces have in common if they are the same. */
function looksOf({ object }: Side, atom: Atom): string {
  const bytes = mask(object.bytes(atom), object.references(atom));
  return `${atom.section.name} ${atom.size} ${createHash('sha1').update(bytes).digest('hex')}`;
}

/** Sections that act by being there must hold what they held, but for notes about the module itself. */
export function registryFindings(unit: string, original: Side, patched: Side, comparison: Comparison): Diagnostic[] {
  const byName = (side: Side): Map<string, ElfSection[]> => {
    const found = new Map<string, ElfSection[]>();
    for (const section of side.object.elf.sections) {
      const relevant =
        roleOf(section) === 'registry' &&
        section.size > 0 &&
        section.name !== '.modinfo' &&
        // the names of exports: compared where an export refers to them
        section.name !== exportStrings &&
        (section.flags & SHF.ALLOC) !== 0;
      if (relevant) found.set(section.name, [...(found.get(section.name) ?? []), section]);
    }
    return found;
  };
  const before = byName(original);
  const after = byName(patched);
  const findings: Diagnostic[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const left = before.get(name) ?? [];
    const right = after.get(name) ?? [];
    const same =
      left.length === right.length &&
      left.every((section, i) => sameSection(original, section, patched, right[i]!, comparison));
    if (same) continue;
    const exported = exportedName(name);
    if (exported !== undefined && left.length !== right.length) {
      findings.push(
        left.length < right.length
          ? say.exportAdded({ unit, name: exported })
          : say.exportStays({ unit, name: exported }),
      );
      continue;
    }
    const size = (list: readonly ElfSection[]): number => list.reduce((sum, section) => sum + section.size, 0);
    const what =
      size(left) === size(right) ? 'its content differs' : `${size(left)} bytes before, ${size(right)} after`;
    findings.push(say.registryChanged({ unit, section: name, what }));
  }
  return findings;
}

function sameSection(original: Side, a: ElfSection, patched: Side, b: ElfSection, comparison: Comparison): boolean {
  if (a.size !== b.size || a.relocations.length !== b.relocations.length) return false;
  const references = (side: Side, section: ElfSection) =>
    within(section.relocations, 0, section.size).map((relocation) => ({
      offset: relocation.offset,
      type: relocation.type,
      target: side.object.resolve(section, relocation),
    }));
  const left = references(original, a);
  const right = references(patched, b);
  return (
    Buffer.compare(mask(a.data, left), mask(b.data, right)) === 0 &&
    left.every(
      (reference, i) =>
        reference.offset === right[i]!.offset &&
        reference.type === right[i]!.type &&
        (comparison.sameTarget(reference.target, right[i]!.target) ||
          sameExportString(reference.target, right[i]!.target)),
    )
  );
}

/** Where EXPORT_SYMBOL keeps names and namespaces (include/linux/export.h). */
const exportStrings = '__ksymtab_strings';

/** `___ksymtab_gpl+NAME` → NAME: each export has a section of its own until modules are linked. */
function exportedName(section: string): string | undefined {
  return /^___(?:ksymtab|kcrctab)(?:_gpl)?\+(.+)$/.exec(section)?.[1];
}

/** An export's name moves when another comes or goes before it. */
function sameExportString(a: Target, b: Target): boolean {
  const text = (target: Target): string | undefined => {
    if (target.kind !== 'atom' || target.atom.section.name !== exportStrings) return undefined;
    const from = target.atom.section.data.subarray(target.atom.start + target.at);
    return Buffer.from(from.subarray(0, from.indexOf(0))).toString('latin1');
  };
  const before = text(a);
  return before !== undefined && before === text(b);
}
