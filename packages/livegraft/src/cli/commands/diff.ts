/** livegraft diff: two object files → a verdict for each function. */
import { basename } from 'node:path';
import { buildCommand } from '@stricli/core';
import { Exit } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { inFile, readInput } from '../inputs.ts';
import { plural, table } from '../text.ts';

export const diff = buildCommand<CommonFlags, [string, string], Context>({
  docs: {
    brief: 'Compare two object files of one unit, function by function',
    fullDescription:
      'For experts and tests. Both objects must come from the same compiler and flags, with -ffunction-sections -fdata-sections.\nExit code 0: there are changes that a livepatch can carry; 3: none; 4: refused.\n\nExample: livegraft diff meminfo.orig.o meminfo.patched.o',
  },
  parameters: {
    flags: commonFlags,
    positional: {
      kind: 'tuple',
      parameters: [
        { brief: 'Object compiled from the original source', parse: String, placeholder: 'ORIG.o' },
        { brief: 'Object compiled from the patched source', parse: String, placeholder: 'PATCHED.o' },
      ],
    },
  },
  async func(flags, before, after) {
    await perform(this, 'diff', flags, async ({ print, style, verbose }) => {
      const [{ readElf }, { diffObjects }, { explainCause }] = await Promise.all([
        import('@livegraft/binfmt/elf/read'),
        import('../../objdiff/diff.ts'),
        import('../../objdiff/explain.ts'),
      ]);
      const [original, patched] = await Promise.all(
        [before, after].map((path) =>
          readInput(path, 'the object file').then((bytes) => inFile(path, () => readElf(bytes))),
        ),
      );
      const found = diffObjects(basename(after), original!, patched!);
      const functions = found.functions.map((f) => ({ name: f.name, verdict: f.verdict, why: explainCause(f) }));
      const changed = functions.filter((f) => f.verdict !== 'unchanged');
      const refused = found.findings.some((finding) => finding.severity === 'error');
      const verdict = refused ? 'refused' : changed.some((f) => f.verdict === 'changed') ? 'patchable' : 'unchanged';
      const shown = verbose ? functions : changed;
      if (shown.length > 0)
        print(
          table(
            shown.map((f) => [style(f.verdict === 'unchanged' ? 'dim' : 'bold', f.verdict.padEnd(9)), f.name, f.why]),
          ),
        );
      print(`${verdict}: ${plural(changed.length, 'function')} of ${functions.length} not as before`);
      return {
        result: { verdict, functions, findings: found.findings },
        exit: refused ? Exit.refused : verdict === 'unchanged' ? Exit.nothingToDo : Exit.done,
        diagnostics: found.findings,
      };
    });
  },
});
