/**
 * Which shipped modules import a function. `__versions` names each symbol that a module imports, with its CRC (struct modversion_info in
 * include/linux/module.h: 64 bytes, the name from the eighth on), so no symbol table is read.
 */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { compressionOfName } from '../kernel/decompress.ts';
import { sectionsOf } from '../kernel/module-file.ts';
import { readModuleIndex } from '../kernel/modules.ts';
import type { Kernel } from '../kernel/types.ts';

const entry = 64;
const nameAt = 8;

/**
 * Reads what each module imports: half a second for 4,000 of them.
 * @param wanted names of exported symbols, with the module that has each, or `vmlinux`
 * @returns names of modules by symbol, sorted; undefined where a kernel came without modules, or with compressed ones, or without CRCs
 */
export async function importersOf(
  kernel: Kernel,
  wanted: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, readonly string[]> | undefined> {
  const { modules } = kernel.paths;
  const index = await readModuleIndex(kernel);
  if (modules === undefined || index.some(({ path }) => compressionOfName(path) !== undefined)) return undefined;
  const homes = new Set(wanted.values());
  const found = new Map([...wanted.keys()].map((name) => [name, new Set<string>()]));
  let versions = 0;
  for (const [i, { name: module, path, depends }] of index.entries()) {
    if (i % 200 === 0) await breathe();
    if (!homes.has('vmlinux') && !depends.some((each) => homes.has(each.replaceAll('-', '_')))) continue;
    const names = importsOf(join(modules, path));
    if (names.length > 0) versions++;
    for (const name of names) found.get(name)?.add(module);
  }
  if (versions === 0 && homes.has('vmlinux')) return undefined;
  return new Map([...found].map(([name, users]) => [name, [...users].sort()]));
}

function importsOf(file: string): string[] {
  const fd = openSync(file, 'r');
  try {
    const data = sectionsOf(fd)
      .find(({ name }) => name === '__versions')
      ?.read();
    if (data === undefined) return [];
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
    return Array.from({ length: Math.floor(text.length / entry) }, (_, i) => {
      const name = text.slice(i * entry + nameAt, (i + 1) * entry);
      const end = name.indexOf('\0');
      return end < 0 ? name : name.slice(0, end);
    });
  } finally {
    closeSync(fd);
  }
}
