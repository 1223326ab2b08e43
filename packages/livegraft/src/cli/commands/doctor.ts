/** livegraft doctor: whether this machine has what livegraft calls. */
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { buildCommand } from '@stricli/core';
import { Exit } from '../../diagnostics/diagnostic.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { requirements } from '../requirements.ts';
import { table } from '../text.ts';

export const doctor = buildCommand<CommonFlags, [], Context>({
  docs: {
    brief: 'Check that this machine has the programs that livegraft calls',
    fullDescription: 'Changes nothing. Exit code 1 when something is missing.\n\nExample: livegraft doctor',
  },
  parameters: { flags: commonFlags },
  async func(flags) {
    await perform(this, 'doctor', flags, async ({ print, style }) => {
      const found = await Promise.all(
        requirements.map(async (program) => ({ ...program, path: await find(program.name) })),
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
      const packages = [...new Set(missing.map((program) => program.package))];
      print(
        missing.length === 0 ? 'All there.' : `Install what is missing: sudo apt-get install ${packages.join(' ')}`,
      );
      return { result: { programs: found, missing: packages }, exit: missing.length === 0 ? Exit.done : Exit.failed };
    });
  },
});

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
