// What all measurements in a guest share: a snapshot of livegraft, programs and modules compiled for it, and the guest itself.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { BTF_KIND } from '@livegraft/binfmt/btf';
import { root } from '../../scripts/setup.mjs';

const dist = join(root, 'packages/livegraft/dist');
const { openKernel, listKernels } = await import(`${dist}/kernel/store.js`);
const { runMake, withBuildTree, errorLines } = await import(`${dist}/kbuild/make.js`);
const { guestModules } = await import(`${dist}/trial/try.js`);
const { readImage } = await import(`${dist}/kernel/image.js`);
const { runInGuest, shareModules } = await import(`${dist}/vm/shell.js`);

const guestFolder = fileURLToPath(new URL('guest/', import.meta.url));

/** A kernel of the cache, by name or the first that fits. */
export async function chooseKernel(name) {
  if (name !== undefined) return openKernel(name);
  const preferred = '6.1.0-55-amd64';
  const names = (await listKernels()).map((each) => each.name);
  return openKernel(names.includes(preferred) ? preferred : (names.at(-1) ?? preferred));
}

/**
 * livegraft as it is now, in a folder of its own: a guest that runs for an hour must not see what is compiled meanwhile.
 * Returns the folder, which looks like the repository.
 */
export function snapshot(scratch) {
  const copy = join(scratch, 'livegraft');
  for (const name of ['packages/binfmt', 'packages/livegraft']) {
    for (const part of ['dist', 'bin', 'guest', 'kernel', 'report', 'package.json']) {
      const from = join(root, name, part);
      if (existsSync(from)) cpSync(from, join(copy, name, part), { recursive: true, filter: notTests });
    }
  }
  const modules = join(copy, 'node_modules');
  mkdirSync(join(modules, '@livegraft'), { recursive: true });
  symlinkSync('../../packages/binfmt', join(modules, '@livegraft/binfmt'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name.startsWith('.') || name === '@livegraft' || name === 'livegraft') continue;
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
  return copy;
}

const notTests = (path) => !/\.(test|case|vm)\.|\.map$/.test(path);

/** Compiles a C program of guest/, static; returns its path. */
export function compileProgram(name, scratch) {
  const program = join(scratch, name);
  const source = join(guestFolder, `${name}.c`);
  execute('gcc', ['-static', '-O2', '-Wall', '-pthread', '-o', program, source]);
  return program;
}

/** Compiles kernel modules of guest/ for a kernel, out of its tree; returns the folder with NAME.ko of each. */
export async function compileModules(kernel, names, scratch) {
  const folder = join(scratch, `modules-${names[0]}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'Kbuild'), names.map((name) => `obj-m += ${name}.o\n`).join(''));
  for (const file of readdirSync(guestFolder)) {
    if (file.endsWith('.h') || names.includes(file.replace(/\.c$/, '')))
      writeFileSync(join(folder, file), readFileSync(join(guestFolder, file)));
  }
  const made = await withBuildTree(kernel, undefined, () => runMake(kernel, [`M=${folder}`, 'modules']));
  if (made.exitCode !== 0) throw new Error(`${names.join(', ')}: ${errorLines(made.stderr)}`);
  return folder;
}

/** Where a member lies in a structure, by the kernel's own types; bytes. */
export async function memberOffset(kernel, structure, member) {
  const { btf } = await readImage(kernel);
  const [id] = btf.named(BTF_KIND.STRUCT, structure);
  return btf.members(id).find(({ name }) => name === member).bitOffset / 8;
}

/** `livegraft build`; returns the bundle's folder. */
export function build(kernel, patch, name, scratch, flags = []) {
  const program = join(root, 'packages/livegraft/bin/livegraft.js');
  execute(process.execPath, [
    program,
    ...['build', patch, '--kernel', kernel.name, '-o', scratch, '--name', name, '--quiet', ...flags],
  ]);
  return join(scratch, name);
}

export function execute(command, args, options = {}) {
  const ran = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (ran.error !== undefined) throw ran.error;
  if (ran.status !== 0)
    throw new Error(`${command} ended with ${ran.status ?? ran.signal}: ${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

/**
 * Runs a script of guest/ in a guest that sees this machine's folders, read-only: with Node (.mjs) or the shell (.sh). Each line that it prints goes
 * to `onLine`; lines of dots only keep pipes moving. Returns how the guest ended, with its kernel's log.
 */
export async function runScript(kernel, script, words, { onLine, ...options }) {
  const lines = () => new Lines((line) => /^\.*$/.test(line.trim()) || onLine(line));
  return runInGuest(
    {
      kernel: { release: kernel.release, vmlinuz: kernel.paths.vmlinuz, vmlinux: kernel.paths.vmlinux },
      modules: await guestModules(kernel, shareModules),
      load: shareModules,
      share: '/',
      cwd: '/tmp',
      cpus: 2,
      memory: 2048,
      ...options,
    },
    [script.endsWith('.sh') ? 'sh' : process.execPath, join(guestFolder, script), ...words.map(String)],
    { stdout: lines(), stderr: lines() },
  );
}

/** Cuts what is written to it into lines. */
class Lines extends Writable {
  #rest = '';
  #take;

  constructor(take) {
    super();
    this.#take = take;
  }

  _write(chunk, _encoding, done) {
    const lines = (this.#rest + chunk.toString('utf8')).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) this.#take(line);
    done();
  }
}
