/** livegraft diff: two object files → a verdict for each function, its cause, and the first instruction that differs. */
import { basename } from 'node:path';
import type { ElfFile } from '@livegraft/binfmt/elf/types';
import { buildCommand } from '@stricli/core';
import { define, Exit, LivegraftError } from '../../diagnostics/diagnostic.ts';
import type { ExplainedFunction } from '../../objdiff/explain.ts';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform, type Session } from '../command.ts';
import type { Context } from '../context.ts';
import { inFile, readInput } from '../inputs.ts';
import { showDifference } from '../show-difference.ts';
import { table } from '../text.ts';

const objectWithoutKernel = define<{ object: string }>('object-without-kernel', {
  exit: Exit.usage,
  message: ({ object }) => `--object ${object} says where a kernel has the unit, and no kernel was named`,
  hint: 'name one with --kernel RELEASE',
});

interface Flags extends CommonFlags {
  readonly kernel?: string;
  readonly object?: string;
}

export const diff = buildCommand<Flags, [string, string], Context>({
  docs: {
    brief: 'Compare two object files of one unit, function by function',
    fullDescription:
      'For experts and tests. Both objects must come from the same compiler and flags, with -ffunction-sections -fdata-sections. Below each function that is not as before stand the first instructions that differ; --quiet leaves them out, --verbose adds their bytes and the functions that are as before.\nExit code 0: there are changes that a livepatch can carry; 3: none; 4: refused.\n\nExample: livegraft diff meminfo.orig.o meminfo.patched.o',
  },
  parameters: {
    flags: {
      ...commonFlags,
      kernel: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Count positions (sympos) in this kernel of the cache, where the original is the shipped code',
        placeholder: 'RELEASE',
      },
      object: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'What the unit is linked into, with --kernel (default: vmlinux)',
        placeholder: 'MODULE',
      },
    },
    aliases: { k: 'kernel' },
    positional: {
      kind: 'tuple',
      parameters: [
        { brief: 'Object compiled from the original source', parse: String, placeholder: 'ORIG.o' },
        { brief: 'Object compiled from the patched source', parse: String, placeholder: 'PATCHED.o' },
      ],
    },
  },
  async func({ kernel, object, ...flags }, before, after) {
    await perform(this, 'diff', flags, async (session) => {
      if (object !== undefined && kernel === undefined) throw new LivegraftError(objectWithoutKernel({ object }));
      const [{ readElf }, { diffObjects }, { explainFunctions }] = await Promise.all([
        import('@livegraft/binfmt/elf/read'),
        import('../../objdiff/diff.ts'),
        import('../../objdiff/explain.ts'),
      ]);
      const [original, patched] = await Promise.all(
        [before, after].map((path) =>
          readInput(path, 'the object file').then((bytes) => inFile(path, () => readElf(bytes))),
        ),
      );
      const found = diffObjects(basename(after), original!, patched!, { marked: false });
      const positions = kernel === undefined ? undefined : await readPositions(kernel, object ?? 'vmlinux', original!);
      const functions = explainFunctions(found, positions && ((name) => positions.get(name)));
      const refused = found.findings.some((finding) => finding.severity === 'error');
      const changed = found.functions.some((f) => f.verdict === 'changed');
      const verdict = refused ? 'refused' : changed ? 'patchable' : 'unchanged';
      showFunctions(functions, session, { brief: flags.quiet ?? false, inKernel: positions !== undefined });
      const others = functions.filter((f) => f.verdict !== 'unchanged').length;
      session.print(`${verdict}: ${plural(others, 'function')} of ${functions.length} not as before`);
      return {
        result: { verdict, functions, findings: found.findings },
        exit: refused ? Exit.refused : verdict === 'unchanged' ? Exit.nothingToDo : Exit.done,
        diagnostics: found.findings,
      };
    });
  },
});

interface Showing {
  /** Without code. */
  readonly brief: boolean;
  /** Positions are the kernel's: they are worth a person's attention. */
  readonly inKernel: boolean;
}

async function readPositions(name: string, object: string, original: ElfFile): Promise<ReadonlyMap<string, number>> {
  const [{ openKernel }, { positionsIn }] = await Promise.all([
    import('../../kernel/store.ts'),
    import('../../build/positions.ts'),
  ]);
  return positionsIn(await openKernel(name), object, original);
}

function showFunctions(functions: readonly ExplainedFunction[], session: Session, { brief, inKernel }: Showing): void {
  const { style, verbose } = session;
  const shown = verbose ? functions : functions.filter((f) => f.verdict !== 'unchanged');
  if (shown.length === 0) return;
  const rows = shown.map((f) => [f.verdict.padEnd(9), shownName(f, inKernel), sayWhy(f, verbose)]);
  // where code stands between the lines, columns help nobody
  const lines = brief ? table(rows).split('\n') : rows.map((row) => row.join('  ').trimEnd());
  for (const [i, f] of shown.entries()) {
    session.print(style(f.verdict === 'unchanged' ? 'dim' : 'bold', lines[i]!));
    if (brief || f.first === undefined) continue;
    session.print(showDifference(f.first, { style, bytes: verbose }).join('\n'));
  }
}

function shownName({ name, sympos = 0 }: ExplainedFunction, inKernel: boolean): string {
  return inKernel && sympos > 0 ? `${name},${sympos}` : name;
}

function sayWhy({ why, patchedName, matchedBy, findings }: ExplainedFunction, verbose: boolean): string {
  const renamed = patchedName === undefined ? [] : [`is ${patchedName} now`];
  const matched = verbose && matchedBy !== undefined ? [`matched by: ${matchedBy}`] : [];
  return [...(findings ?? []), ...(why === '' ? [] : [why]), ...renamed, ...matched].join('; ');
}
