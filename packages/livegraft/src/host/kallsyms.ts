/** Sizes of functions that share a name, from /proc/kallsyms: which of them a frame means, the name alone does not tell. */
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

/** Sizes of the symbols of one name in one object, in the order that positions count; empty when there are not several, or no addresses are shown. */
export type SizesOf = (name: string, module: string | undefined) => readonly number[];

/** What was found in the kernel's own image, which stays as it is until it ends. */
const inImage = new WeakMap<HostRoots, Map<string, readonly number[]>>();

/** Reads the file at its first use: it has 100,000 lines and more. */
export function symbolSizes(roots: HostRoots): SizesOf {
  let text: string | undefined;
  const image = inImage.get(roots) ?? new Map<string, readonly number[]>();
  inImage.set(roots, image);
  const modules = new Map<string, readonly number[]>();
  return (name, module) => {
    const known = module === undefined ? image : modules;
    const key = `${name} ${module ?? ''}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    text ??= readProc(`${roots.proc}/kallsyms`) ?? '';
    const sizes = sizesIn(text, name, module);
    known.set(key, sizes);
    return sizes;
  };
}

/** Up to the next higher address of the same object, as the kernel itself sees a symbol's size. */
export function sizesIn(kallsyms: string, name: string, module: string | undefined): number[] {
  const starts: bigint[] = [];
  const tail = module === undefined ? '' : `\t[${module}]`;
  const needle = ` ${name}${tail}\n`;
  for (let at = kallsyms.indexOf(needle); at >= 0; at = kallsyms.indexOf(needle, at + 1)) {
    starts.push(addressAt(kallsyms, kallsyms.lastIndexOf('\n', at) + 1));
  }
  if (starts.length < 2 || starts.every((start) => start === 0n)) return [];
  const nearest = starts.map(() => 0n);
  for (let line = 0; line < kallsyms.length; ) {
    const end = kallsyms.indexOf('\n', line);
    const next = end < 0 ? kallsyms.length : end;
    const inModule = kallsyms.charAt(next - 1) === ']';
    if (module === undefined ? !inModule : inModule && kallsyms.startsWith(tail, next - tail.length)) {
      const address = addressAt(kallsyms, line);
      for (const [i, start] of starts.entries()) {
        if (address > start && (nearest[i] === 0n || address < nearest[i]!)) nearest[i] = address;
      }
    }
    line = next + 1;
  }
  return starts.map((start, i) => (nearest[i] === 0n ? 0 : Number(nearest[i]! - start)));
}

function addressAt(text: string, at: number): bigint {
  return BigInt(`0x${text.slice(at, at + 16)}`);
}
