/** livegraft verify: a bundle built again from its own inputs, and compared. */
import { buildCommand } from '@stricli/core';
import { Exit } from '../../diagnostics/diagnostic.ts';
import { rebuildDiffers } from '../../diagnostics/sign-off.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { table } from '../text.ts';

export const verify = buildCommand<CommonFlags, [string], Context>({
  docs: {
    brief: 'Build a bundle again from its own inputs and compare byte for byte',
    fullDescription:
      'Takes the patches from patch.diff, the kernel that the manifest names from the cache, and compiles everything anew in a scratch folder. The same inputs give the same bytes on every machine and in every folder; so what differs was changed afterwards, or built from something else. The bundle is not touched; evidence.json and sign-offs.json are no result of a build and not looked at.\nExit code 1: something differs, and the first place is named; 4: the inputs are not there; 5: other compiler.\n\nExample: livegraft verify livegraft_fix',
  },
  parameters: {
    flags: commonFlags,
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'The folder that `livegraft build` made', parse: String, placeholder: 'BUNDLE' }],
    },
  },
  async func(flags, path) {
    await perform(this, 'verify', flags, async ({ progress, signal, print, style }) => {
      const [{ readBundle }, { rebuild }] = await Promise.all([
        import('../../bundle/bundle.ts'),
        import('../../build/rebuild.ts'),
      ]);
      const bundle = await readBundle(path);
      const { files, kernel } = await rebuild(bundle, { progress, signal });
      const rows = files.map(({ name, difference }) => [
        name,
        difference === undefined ? style('green', 'equal') : style('red', 'differs'),
      ]);
      print(table(rows));
      const problems = files.flatMap(({ name: file, difference }) => {
        if (difference === undefined) return [];
        const { where, left, right } = difference;
        return [rebuildDiffers({ path: bundle.path, file, where, bundle: left, rebuilt: right })];
      });
      const { name } = bundle.manifest;
      if (problems.length === 0)
        print(`${style(['green', 'bold'], name)} is what its patches and ${kernel.name} give, byte for byte`);
      return {
        result: { path: bundle.path, name, equal: problems.length === 0, files },
        exit: problems.length === 0 ? Exit.done : Exit.failed,
        diagnostics: problems,
      };
    });
  },
});
