/**
 * The build tree of a kernel: kbuild's O= with the distribution's own generated configuration, so that one unit can be compiled as it was shipped.
 *
 * Kconfig is never run on a distribution's config, because it drifts with the tools it finds (compiler, pahole, rustc): auto.conf and autoconf.h
 * come from the headers package, .config is made older than auto.conf and the list of Kconfig files empty, so make sees nothing to do
 * (Makefile, rule %/config/auto.conf). Only where no headers are given does Kconfig make them, and then .config must stay what it was.
 */
import { cp, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { buildToolsMissing, configDrifts, kernelMixed, sourceNotClean } from '../diagnostics/kernel.ts';
import { run, tryRun } from '../support/exec.ts';
import { type Options, withSignal } from './options.ts';
import type { Toolchain } from './toolchain.ts';
import type { KernelPaths } from './types.ts';

const AUTOCONF = ['include/config/auto.conf', 'include/generated/autoconf.h'] as const;

/** Variables of the user's environment that would change how kbuild compiles. */
export const kbuildEnvironment: Readonly<Record<string, string>> = {
  MAKEFLAGS: '',
  KCFLAGS: '',
  KCPPFLAGS: '',
  KAFLAGS: '',
  CFLAGS_MODULE: '',
  CFLAGS_KERNEL: '',
  LDFLAGS_MODULE: '',
  KBUILD_EXTRA_SYMBOLS: '',
};

/** The arguments of every `make` for this kernel; without KERNELRELEASE it would rewrite utsrelease.h and with it every vermagic. */
export function kbuildArguments(
  paths: Pick<KernelPaths, 'source' | 'build'>,
  release: string,
  { cc, ld, prefix }: Toolchain,
): string[] {
  return [
    '-C',
    paths.source,
    `O=${paths.build}`,
    'ARCH=x86',
    `CROSS_COMPILE=${prefix}`,
    `CC=${cc}`,
    `LD=${ld}`,
    `KERNELRELEASE=${release}`,
    // hides Rust from make, which would look for its compiler; autoconf.h keeps it
    'CONFIG_RUST=',
  ];
}

/**
 * Makes the build tree at `paths.build`, anew, in its final place: kbuild writes absolute paths into it.
 * Needs `paths.source`, and the folder of `paths.symvers` with `.config` and, where they are given, `include/` and `arch/`.
 * Throws `build-tools-missing`, `source-not-clean`, `config-drifts`, `kernel-mixed`, `program-failed`.
 */
export async function prepareBuild(
  paths: Pick<KernelPaths, 'source' | 'build' | 'config' | 'symvers'>,
  release: string,
  toolchain: Toolchain,
  options: Options,
): Promise<void> {
  const { source, build } = paths;
  await checkBuildTools(options.signal);
  for (const trace of ['.config', 'include/config']) {
    if (await exists(join(source, trace))) throw new LivegraftError(sourceNotClean({ path: source }));
  }
  await rm(build, { recursive: true, force: true });
  await mkdir(build, { recursive: true });
  const headers = join(paths.config, '..');
  const pinned = await exists(join(headers, AUTOCONF[0]));
  await cp(paths.config, join(build, '.config'));
  await cp(paths.symvers, join(build, 'Module.symvers'));
  if (pinned) {
    for (const part of ['include', 'arch']) {
      if (await exists(join(headers, part))) await cp(join(headers, part), join(build, part), { recursive: true });
    }
    const old = new Date('2020-01-01T00:00:00Z');
    await utimes(join(build, '.config'), old, old);
    await writeFile(join(build, 'include/config/auto.conf.cmd'), 'deps_config :=\n');
  }
  const make = kbuildArguments(paths, release, toolchain);
  const how = withSignal({ env: kbuildEnvironment, group: true }, options);
  if (!pinned) {
    await run('make', [...make, 'olddefconfig'], how);
    await assertConfigKept(paths.config, join(build, '.config'));
  }
  await run('make', [...make, `-j${availableParallelism()}`, 'modules_prepare'], how);
  if (pinned) await assertSame(headers, build);
  else await assertConfigKept(paths.config, join(build, '.config'));
}

/** What `modinfo` would print of a module built in this tree, from its own headers (include/linux/vermagic.h). */
export async function vermagicOf(
  paths: Pick<KernelPaths, 'source' | 'build'>,
  { cc }: Toolchain,
  options: Options,
): Promise<string> {
  const { source, build } = paths;
  const includes = ['arch/x86/include', 'include'].map((folder) => `-I${join(source, folder)}`);
  const generated = ['arch/x86/include/generated', 'include'].map((folder) => `-I${join(build, folder)}`);
  const input = `#define INCLUDE_VERMAGIC\n#include <generated/utsrelease.h>\n#include <linux/vermagic.h>\nlivegraft VERMAGIC_STRING\n`;
  const { stdout } = await run(
    cc,
    [
      '-E',
      '-P',
      '-nostdinc',
      '-D__KERNEL__',
      ...includes,
      ...generated,
      '-include',
      join(build, 'include/generated/autoconf.h'),
      '-',
    ],
    withSignal({ input }, options),
  );
  const words = /^livegraft (.*)$/m.exec(stdout)?.[1] ?? '';
  return [...words.matchAll(/"([^"]*)"/g)]
    .map(([, text]) => text)
    .join('')
    .trim();
}

/** Options whose value differs between two configs, as `CONFIG_X: y → n`; comments other than "is not set" do not count. */
export function driftedOptions(before: string, after: string): string[] {
  const old = parseConfig(before);
  const now = parseConfig(after);
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((name) => (old.get(name) ?? 'n') !== (now.get(name) ?? 'n'))
    .map((name) => `${name}: ${old.get(name) ?? 'absent'} → ${now.get(name) ?? 'absent'}`);
}

export function parseConfig(text: string): Map<string, string> {
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    const set = /^(CONFIG_\w+)=(.*)$/.exec(line);
    if (set !== null) options.set(set[1]!, set[2]!);
    const unset = /^# (CONFIG_\w+) is not set$/.exec(line);
    if (unset !== null) options.set(unset[1]!, 'n');
  }
  return options;
}

async function assertConfigKept(given: string, made: string): Promise<void> {
  const options = driftedOptions(await readFile(given, 'utf8'), await readFile(made, 'utf8'));
  if (options.length > 0) throw new LivegraftError(configDrifts({ options }));
}

async function assertSame(headers: string, build: string): Promise<void> {
  for (const file of AUTOCONF) {
    const [shipped, made] = await Promise.all([
      readFile(join(headers, file), 'utf8'),
      readFile(join(build, file), 'utf8'),
    ]);
    if (shipped === made) continue;
    const line = shipped.split('\n').findIndex((text, i) => text !== made.split('\n')[i]);
    throw new LivegraftError(
      kernelMixed({
        what: `Line ${line + 1} of ${file} after preparing the build tree`,
        found: made.split('\n')[line] ?? '',
        expected: shipped.split('\n')[line] ?? '',
        source: 'the headers package',
      }),
    );
  }
}

/** Programs and headers that `make modules_prepare` needs besides the compiler, and Debian's packages for them. */
const BUILD_TOOLS = [
  ['make', 'make'],
  ['flex', 'flex'],
  ['bison', 'bison'],
  ['bc', 'bc'],
  ['python3', 'python3'],
  ['gcc', 'gcc'],
] as const;

async function checkBuildTools(signal: AbortSignal | undefined): Promise<void> {
  const missing: string[] = [];
  const packages: string[] = [];
  for (const [program, name] of BUILD_TOOLS) {
    const found = await tryRun(program, ['--version'], withSignal({}, { signal })).catch((error: unknown) => {
      if (error instanceof LivegraftError) return undefined;
      throw error;
    });
    if (found !== undefined) continue;
    missing.push(program);
    packages.push(name);
  }
  if (!missing.includes('gcc')) {
    // objtool is built against libelf, certs' tools against openssl
    for (const [header, name] of [
      ['gelf.h', 'libelf-dev'],
      ['openssl/opensslv.h', 'libssl-dev'],
    ] as const) {
      const probe = await tryRun('gcc', ['-E', '-x', 'c', '-', '-o', '/dev/null'], { input: `#include <${header}>\n` });
      if (probe.exitCode === 0) continue;
      missing.push(header);
      packages.push(name);
    }
  }
  if (missing.length > 0) throw new LivegraftError(buildToolsMissing({ missing, packages }));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
