/**
 * UBSAN writes down the path of each source as the compiler was given it; no option maps it as `-fmacro-prefix-map` does `__FILE__`. In an object of
 * ours that is a folder of this machine, another one for the patched tree. It becomes the path in the source, as `__FILE__` has it.
 */
import { SHF } from '@livegraft/binfmt/elf/constants';
import { readElf } from '@livegraft/binfmt/elf/read';

/**
 * The object with all literals that begin with one of the folders cut to what follows; the same bytes where there are none. What is freed at a literal's
 * end becomes zeros: every offset stays.
 * @param folders absolute, without a slash at the end
 */
export function withoutFolders(object: Uint8Array, folders: readonly string[]): Uint8Array {
  const prefixes = folders.map((folder) => Buffer.from(`${folder}/`));
  const bytes = Buffer.from(object);
  if (!prefixes.some((prefix) => bytes.includes(prefix))) return object;
  for (const { flags, entsize, offset, size, data } of readElf(object).sections) {
    if ((flags & SHF.STRINGS) === 0 || (flags & SHF.MERGE) === 0 || entsize > 1) continue;
    for (let start = 0; start < size; ) {
      const end = data.indexOf(0, start) < 0 ? size : data.indexOf(0, start);
      const text = bytes.subarray(offset + start, offset + end);
      const prefix = prefixes.find((each) => text.subarray(0, each.length).equals(each));
      if (prefix !== undefined) {
        const rest = Buffer.from(text.subarray(prefix.length));
        text.fill(0).set(rest);
      }
      start = end + 1;
    }
  }
  return bytes;
}
