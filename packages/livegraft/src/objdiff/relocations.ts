/** What x86-64 relocation types mean for the field they are about (x86-64 psABI, 4.4; arch/x86/kernel/module.c). */
import type { ElfRelocation } from '@livegraft/binfmt/elf/types';

/** R_X86_64_PC32, PLT32, PC16, PC8, PC64. */
export function isPcRelative(type: number): boolean {
  return type === 2 || type === 4 || type === 13 || type === 15 || type === 24;
}

/** PLT32 and PC32 mean the same in the kernel (module loader and linker): which of them a call gets depends on where its target is. */
export function plainType(type: number): number {
  return type === 4 ? 2 : type;
}

/** Bytes that a relocation of this type fills in; 0 for types that are not supported. */
export function fieldSize(type: number): number {
  switch (type) {
    case 1:
    case 24:
      return 8;
    case 2:
    case 4:
    case 9:
    case 10:
    case 11:
      return 4;
    case 12:
    case 13:
      return 2;
    case 14:
    case 15:
      return 1;
    default:
      return 0;
  }
}

/** The relocations with start <= offset < end of a list sorted by offset. */
export function within<R extends Pick<ElfRelocation, 'offset'>>(
  list: readonly R[],
  start: number,
  end: number,
): readonly R[] {
  const first = lowerBound(list, start);
  return list.slice(first, lowerBound(list, end));
}

function lowerBound(list: readonly Pick<ElfRelocation, 'offset'>[], offset: number): number {
  let low = 0;
  for (let high = list.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (list[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
