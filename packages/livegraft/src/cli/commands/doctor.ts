/** livegraft doctor: whether this machine has what livegraft calls; with --host, whether its kernel can be live-patched. */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { buildCommand } from '@stricli/core';
import { Exit } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { isRoot } from '../host.ts';
import { hostRequirements, type Requirement, requirements } from '../requirements.ts';
import { table } from '../text.ts';

interface Flags extends CommonFlags {
  readonly host?: boolean;
}

export const doctor = buildCommand<Flags, [], Context>({
  docs: {
    brief: 'Check that this machine has the programs that livegraft calls',
    fullDescription:
      'Changes nothing. Exit code 1 when something is missing.\n\nExamples:\n  livegraft doctor         a machine that builds and tries livepatches\n  livegraft doctor --host  one that only loads them: its kernel, and the few programs for that',
  },
  parameters: {
    flags: {
      ...commonFlags,
      host: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'Whether livepatches can be loaded into the kernel that runs here',
      },
    },
  },
  async func({ host = false, ...flags }) {
    await perform(this, 'doctor', flags, async ({ print, style }) => {
      const kernel = host ? await askKernel() : [];
      if (host) {
        print(
          table(kernel.map(({ what, state, found }) => [style(marks[state].colour, marks[state].sign), what, found])),
        );
      }
      const found = await Promise.all(
        (host ? hostRequirements : requirements).map(async (program: Requirement) => ({
          ...program,
          path: await find(program.name),
        })),
      );
      const missing = found.filter((program) => program.path === undefined);
      print(
        table(
          found.map(({ name, path, use, package: deb }) => [
            path === undefined ? style('red', '✗') : style('green', '✓'),
            name,
            path ?? `missing: apt-get install ${deb}`,
            use,
          ]),
        ),
      );
      const unfit = kernel.some(({ state }) => state === 'no');
      if (unfit) print('No livepatch can be loaded here: see above.');
      const packages = [...new Set(missing.map((program) => program.package))];
      print(
        missing.length === 0
          ? 'All programs are there.'
          : `Install what is missing: sudo apt-get install ${packages.join(' ')}`,
      );
      return {
        result: { ...(host ? { kernel } : {}), programs: found, missing: packages },
        exit: missing.length === 0 && !unfit ? Exit.done : Exit.failed,
      };
    });
  },
});

const marks = {
  yes: { colour: 'green', sign: '✓' },
  no: { colour: 'red', sign: '✗' },
  limited: { colour: 'yellow', sign: '!' },
  unknown: { colour: 'dim', sign: '?' },
} as const;

async function askKernel() {
  const [{ readiness }, { hostRoots }] = await Promise.all([
    import('../../live/readiness.ts'),
    import('../../host/roots.ts'),
  ]);
  return readiness(hostRoots, isRoot());
}

async function find(name: string): Promise<string | undefined> {
  if (name.startsWith('/'))
    return access(name).then(
      () => name,
      () => undefined,
    );
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']) {
    const path = join(folder, name);
    if (
      folder !== '' &&
      (await access(path, constants.X_OK).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  return undefined;
}
