/** livegraft build: source patches → a bundle. */
import { buildCommand } from '@stricli/core';
import type { Bundle } from '../../bundle/bundle.ts';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform, type Session } from '../command.ts';
import type { Context } from '../context.ts';
import { showDifference } from '../show-difference.ts';
import { formatBytes, table } from '../text.ts';

interface Flags extends CommonFlags {
  readonly kernel: string;
  readonly output?: string;
  readonly name?: string;
  readonly replace?: boolean;
}

export const buildBundle = buildCommand<Flags, string[], Context>({
  docs: {
    brief: 'Build a livepatch bundle from source patches',
    fullDescription:
      'Compiles only the files that the patches touch, original and patched, proves that the rebuilt original is what was shipped, and makes a livepatch module of what changed.\n\nExample: livegraft build ext4.patch --kernel 6.1.0-55-amd64',
  },
  parameters: {
    flags: {
      ...commonFlags,
      kernel: {
        kind: 'parsed',
        parse: String,
        brief: 'A kernel of the cache (livegraft kernel list)',
        placeholder: 'RELEASE',
      },
      output: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Folder that gets the bundle’s folder (default: here)',
        placeholder: 'DIR',
      },
      name: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Name of module and bundle (default: livegraft_ and the patch’s name)',
        placeholder: 'NAME',
      },
      replace: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Replace all livepatches that are loaded (atomic replace)',
      },
    },
    aliases: { o: 'output', k: 'kernel' },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { brief: 'Patches, applied in this order (-p1)', parse: String, placeholder: 'PATCH' },
    },
  },
  async func({ kernel: kernelName, output = '.', name, replace = false, ...flags }, ...paths) {
    await perform(this, 'build', flags, async (session) => {
      const [{ build }, { openKernel }, { readPatches }] = await Promise.all([
        import('../../build/build.ts'),
        import('../../kernel/store.ts'),
        import('../inputs.ts'),
      ]);
      const patches = await readPatches(paths);
      const kernel = await openKernel(kernelName);
      const bundle = await build({
        patches,
        kernel,
        out: output,
        ...(name === undefined ? {} : { name }),
        replace,
        progress: session.progress,
        signal: session.signal,
      });
      showBundle(bundle, session);
      return {
        result: { path: bundle.path, manifest: bundle.manifest },
        diagnostics: session.json ? [] : foldFindings(bundle),
      };
    });
  },
});

/** What was built, for people. */
export function showBundle(
  { path, manifest }: Bundle,
  { print, style, verbose }: Pick<Session, 'print' | 'style' | 'verbose'>,
): void {
  const rows = manifest.functions.map((f) => [
    `  ${f.name}${f.object === 'vmlinux' ? '' : ` [${f.object}]`}`,
    `${f.oldSize} → ${f.newSize} bytes`,
    f.why,
  ]);
  const shown =
    rows.length > 30 && !verbose ? [...rows.slice(0, 30), [`  … and ${rows.length - 30} more (manifest.json)`]] : rows;
  const count = style('bold', rows.length === 0 ? 'No function' : plural(rows.length, 'function'));
  const where = manifest.targets.map((target) => target.object).join(', ');
  print(`${count} replaced in ${where}${rows.length === 0 ? '' : ':'}`);
  for (const [i, line] of (rows.length === 0 ? [] : table(shown).split('\n')).entries()) {
    print(line);
    const first = verbose ? manifest.functions[i]?.first : undefined;
    if (first !== undefined) print(showDifference(first, { style, bytes: false }).join('\n'));
  }
  if (manifest.added.length > 0) {
    print(`New: ${manifest.added.map((each) => `${each.name} (${each.kind}, ${each.size} bytes)`).join(', ')}`);
  }
  for (const { kind, function: name, object } of manifest.callbacks ?? [])
    print(`Callback: ${kind} ${name}${object === 'vmlinux' ? '' : ` [${object}]`}`);
  print(proofOf(manifest));
  print(
    `${style('green', 'Bundle')} ${path} (${manifest.module.file}, ${formatBytes(manifest.module.size)}); prove it: livegraft try ${path}`,
  );
}

/** What the build has proved, in two lines. */
function proofOf({ units, verified }: Bundle['manifest']): string {
  const equal = units.reduce((sum, unit) => sum + unit.proved.equal, 0);
  const apart = units.reduce((sum, unit) => sum + unit.proved.compared, 0) - equal;
  const rest =
    apart === 0
      ? ''
      : `; ${apart} more ${apart === 1 ? 'is overridden elsewhere or runs' : 'are overridden elsewhere or run'} only at start-up`;
  const proved = `Proved: ${plural(equal, 'function')} of ${plural(units.length, 'unit')}, rebuilt, are the shipped code${rest}`;
  if (verified === undefined) return proved;
  const { functions, instructions, references, undecided } = verified;
  const open = undecided === 0 ? '' : ` (${undecided} undecided)`;
  return `${proved}\nChecked: ${plural(instructions, 'instruction')} and ${plural(references, 'reference')}${open} of ${plural(functions, 'new function')} in the finished module mean what the patched source does`;
}

function foldFindings({ manifest }: Bundle) {
  return manifest.findings.map((finding) => ({ ...finding, exit: 0 as const }));
}
