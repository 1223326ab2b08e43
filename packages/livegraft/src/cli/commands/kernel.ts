/** livegraft kernel …: the kernels in the cache. */
import { buildCommand } from '@stricli/core';
import { plural } from '../../support/plural.ts';
import { type CommonFlags, commonFlags, perform } from '../command.ts';
import type { Context } from '../context.ts';
import { formatBytes, table } from '../text.ts';

const release = {
  kind: 'tuple',
  parameters: [{ brief: 'A release: what uname -r prints', parse: String, placeholder: 'RELEASE' }],
} as const;

interface FetchFlags extends CommonFlags {
  readonly bank?: string;
}

export const kernelFetch = buildCommand<FetchFlags, [string], Context>({
  docs: {
    brief: 'Fetch a kernel from the distribution: image, headers, modules and the source of exactly that version',
    fullDescription:
      'Downloads the packages into the cache through apt, with package lists of its own; nothing is installed, no root is needed. Prepares the build tree for single files. When this machine does not have the compiler that the kernel was built with, that is unpacked into the cache too.\n\nExample: livegraft kernel fetch 6.1.0-55-amd64\n         livegraft kernel fetch 6.12.117+deb13-amd64 --bank /media/bank.tar',
  },
  parameters: {
    flags: {
      ...commonFlags,
      bank: {
        kind: 'parsed',
        parse: String,
        optional: true,
        brief: 'Take everything from what `kernel bank` made, without any network',
        placeholder: 'DIR|FILE',
      },
    },
    positional: release,
  },
  async func({ bank, ...flags }, name) {
    await perform(this, 'kernel fetch', flags, async ({ progress, signal, print }) => {
      const { fetchKernel } = await import('../../kernel/fetch.ts');
      const { tryOpenKernel } = await import('../../kernel/store.ts');
      const { readyForBuilds } = await import('../../kbuild/ready.ts');
      const present = await tryOpenKernel(name);
      const { bankSupply } = await import('../../kernel/bank-supply.ts');
      const options = { progress, signal };
      const kernel = await fetchKernel(name, options, bank === undefined ? undefined : await bankSupply(bank, options));
      await readyForBuilds(kernel, { progress, signal });
      print(`${kernel.name} is ${present === undefined ? 'ready' : 'already here'}: ${kernel.dir}`);
      return { result: { facts: kernel.facts, paths: kernel.paths } };
    });
  },
});

interface AddFlags extends CommonFlags {
  readonly vmlinuz: string;
  readonly source: string;
  readonly config: string;
  readonly symvers: string;
  readonly modules?: string;
}

const path = (brief: string, placeholder: string) => ({ kind: 'parsed', parse: String, brief, placeholder }) as const;

export const kernelAdd = buildCommand<AddFlags, [string], Context>({
  docs: {
    brief: 'Add any other kernel from its files',
    fullDescription:
      'Example: livegraft kernel add mine --vmlinuz /boot/vmlinuz-6.1.99 --source ~/linux-6.1.99 --config /boot/config-6.1.99 --symvers ~/build/Module.symvers --modules /lib/modules/6.1.99',
  },
  parameters: {
    flags: {
      ...commonFlags,
      vmlinuz: path('The boot image', 'FILE'),
      source: path('The clean source tree of exactly this kernel; it stays where it is', 'DIR'),
      config: path('Its configuration', 'FILE'),
      symvers: path('Module.symvers of its build', 'FILE'),
      modules: {
        ...path('What /lib/modules/RELEASE holds; without it only built-in code can be patched', 'DIR'),
        optional: true,
      },
    },
    positional: { kind: 'tuple', parameters: [{ brief: 'The name to give it', parse: String, placeholder: 'NAME' }] },
  },
  async func({ vmlinuz, source, config, symvers, modules, ...flags }, name) {
    await perform(this, 'kernel add', flags, async ({ progress, signal, print }) => {
      const { addKernel } = await import('../../kernel/add.ts');
      const { readyForBuilds } = await import('../../kbuild/ready.ts');
      const files = { name, vmlinuz, source, config, symvers, ...(modules === undefined ? {} : { modules }) };
      const kernel = await addKernel(files, { progress, signal });
      await readyForBuilds(kernel, { progress, signal });
      print(`${kernel.name} (${kernel.release}) is ready: ${kernel.dir}`);
      return { result: { facts: kernel.facts, paths: kernel.paths } };
    });
  },
});

interface ListFlags extends CommonFlags {
  readonly available?: boolean;
  readonly all?: boolean;
}

/** `headers` for `linux-headers-6.12.90+deb13-amd64`, `source` for `linux-source-6.12`: in a list of releases the rest is repetition. */
function partOf(missing: string, name: string): string {
  return missing.endsWith(`-${name}`) || /^linux-source-[0-9.]+$/.test(missing) ? missing.split('-')[1]! : missing;
}

export const kernelList = buildCommand<ListFlags, [], Context>({
  docs: {
    brief: 'List the kernels in the cache, or those that the archive offers',
    fullDescription:
      'What can be fetched comes from the sources of this system; with --all from every Debian release in the same archive.\n\nExample: livegraft kernel list --available --all',
  },
  parameters: {
    flags: {
      ...commonFlags,
      available: { kind: 'boolean', optional: true, withNegated: false, brief: 'What can be fetched' },
      all: {
        kind: 'boolean',
        optional: true,
        withNegated: false,
        brief: 'With --available: every Debian release, not only those in this system’s sources',
      },
    },
  },
  async func({ available, all, ...flags }) {
    await perform(this, 'kernel list', flags, async ({ progress, signal, print, style }) => {
      const { listKernels } = await import('../../kernel/store.ts');
      const here = await listKernels();
      if (available === true || all === true) {
        const { listAvailable } = await import('../../kernel/debian.ts');
        const offered = await listAvailable({ progress, signal, ...(all === undefined ? {} : { all }) });
        const rows = offered.map(({ release: name, version, missing, compiler, shelf }) => [
          name,
          version,
          compiler ?? '',
          shelf ?? '',
          here.some((kernel) => kernel.name === name)
            ? 'here'
            : missing.length > 0
              ? `gone: ${missing.map((each) => partOf(each, name)).join(', ')}`
              : '',
        ]);
        print(table([['RELEASE', 'VERSION', 'COMPILER', 'FROM', ''].map((each) => style('bold', each)), ...rows]));
        return { result: offered };
      }
      if (here.length === 0) print('No kernels yet. See what there is: livegraft kernel list --available');
      else {
        const rows = here.map(({ name, facts }) => [
          name,
          facts.origin.kind === 'debian' ? facts.origin.version : 'from files',
          facts.compiler,
        ]);
        print(table([['NAME', 'VERSION', 'COMPILER'].map((each) => style('bold', each)), ...rows]));
      }
      return { result: here.map((kernel) => kernel.facts) };
    });
  },
});

export const kernelShow = buildCommand<CommonFlags, [string], Context>({
  docs: { brief: 'Print what is known of a kernel', fullDescription: 'Example: livegraft kernel show 6.1.0-55-amd64' },
  parameters: { flags: commonFlags, positional: release },
  async func(flags, name) {
    await perform(this, 'kernel show', flags, async ({ progress, print, style, verbose }) => {
      const { describeKernel } = await import('../../kernel/describe.ts');
      const { openKernel } = await import('../../kernel/store.ts');
      const kernel = await openKernel(name);
      const known = await progress.step('Read the image', () => describeKernel(kernel));
      const rows: [string, string][] = [
        ['release', known.release],
        ['origin', known.origin],
        ['banner', known.banner],
        ['build-id', known.buildId],
        ['compiler', known.compiler],
        ['linker', known.linker],
        ['vermagic', known.vermagic],
        ['config', `sha256 ${known.configHash}`],
        ['image', `${known.profile.imageCompression}; kallsyms: ${known.profile.kallsyms}`],
        ['symbols', `${known.symbols.count} in kallsyms, ${known.symbols.ambiguousNames} names more than once`],
        ['code', `${formatBytes(known.textSize)} of .text, ${known.ftraceEntries} functions that ftrace can hook`],
        ['types', known.types === 0 ? 'no BTF' : `${known.types} in BTF`],
        ['exports', `${known.exports} symbols${known.modversions ? ' with CRCs' : ', no CRCs'}`],
        [
          'modules',
          known.modules === 0
            ? 'none'
            : `${plural(known.modules, 'module')}, ${known.modulesWithBuildId} with a build-id, compression: ${known.profile.moduleCompression.join(', ')}`,
        ],
        [
          'entries',
          `${known.profile.paddedFunctions} functions with padding before them, ${known.profile.sealedLandingPads} landing pads sealed at boot`,
        ],
        ['objtool', known.profile.objtool === 'link' ? 'runs on what is linked' : 'runs on each unit'],
        ['livepatch', known.livepatch.map(({ option, value }) => `${option}=${value}`).join(' ')],
        [
          'reload of patched modules',
          known.coreClears ? 'by the kernel itself' : 'by livegraft’s modules (the kernel alone refuses it)',
        ],
      ];
      print(rows.map(([label, value]) => `${style('dim', label.padEnd(26))}${value}`).join('\n'));
      if (verbose)
        print(
          Object.entries(known.paths)
            .map(([label, value]) => `${style('dim', label.padEnd(26))}${value}`)
            .join('\n'),
        );
      return { result: known };
    });
  },
});

interface BankFlags extends CommonFlags {
  readonly output: string;
}

export const kernelBank = buildCommand<BankFlags, string[], Context>({
  docs: {
    brief: 'Store all that later builds of kernels will need, their compilers included',
    fullDescription:
      'Archives forget: sources and headers of older kernels, and compilers, go away while the kernels still run somewhere. A bank holds the packages themselves, each once, with their hashes. `kernel fetch --bank` builds from it without any network.\n\nExample: livegraft kernel bank 6.1.0-55-amd64 6.12.117+deb13-amd64 --output bank.tar',
  },
  parameters: {
    flags: {
      ...commonFlags,
      output: path('The folder to make; an archive when it ends in .tar', 'DIR|FILE'),
    },
    positional: {
      kind: 'array',
      minimum: 1,
      parameter: { brief: 'A release: what uname -r prints', parse: String, placeholder: 'RELEASE' },
    },
  },
  async func({ output, ...flags }, ...releases) {
    await perform(this, 'kernel bank', flags, async ({ progress, signal, print }) => {
      const { makeBank } = await import('../../kernel/bank.ts');
      const bank = await makeBank(releases, output, { progress, signal });
      for (const { release: name, version, compiler, linker } of bank.manifest.kernels)
        print(`${name} ${version}, ${compiler}, ${linker}`);
      print(`${plural(bank.packages, 'package')}, ${formatBytes(bank.size)}: ${bank.path}`);
      return { result: bank };
    });
  },
});

export const kernelRemove = buildCommand<CommonFlags, [string], Context>({
  docs: {
    brief: 'Remove a kernel from the cache; downloaded packages stay',
    fullDescription: 'Example: livegraft kernel remove 6.1.0-55-amd64',
  },
  parameters: { flags: commonFlags, positional: release },
  async func(flags, name) {
    await perform(this, 'kernel remove', flags, async ({ progress, signal, print }) => {
      const { removeKernel } = await import('../../kernel/store.ts');
      await progress.step(`Remove ${name}`, () => removeKernel(name, { progress, signal }));
      print(`${name} is removed`);
      return { result: { name } };
    });
  },
});
