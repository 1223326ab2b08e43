import type { ElfFile } from '@livegraft/binfmt/elf/types';
import { expect, test } from 'vitest';
import { cutObject } from '../atoms.ts';
import { ABS32S, ABS64, object, PC32, PLT32, type SectionLines, text } from '../testing/object.ts';
import { formatInstruction, instructionsOf } from './listing.ts';
import { quote } from './names.ts';

function listing(elf: ElfFile, name: string): string[] {
  const unit = cutObject(elf);
  const atom = unit.atoms.find((each) => each.name === name)!;
  return instructionsOf(unit, atom).map((each) => `${each.offset.toString(16)} ${formatInstruction(unit, atom, each)}`);
}

function bytesOf(hex: string): number[] {
  return [...Buffer.from(hex.replaceAll(' ', ''), 'hex')];
}

/** A function `f` of these bytes beside a string, a table and a per-cpu variable. */
function unit(hex: string, relocations: SectionLines['relocations']): ElfFile {
  return object({
    '.text.f': {
      flags: 'x',
      bytes: bytesOf(hex),
      symbols: [{ name: 'f', bind: 'global' }],
      ...(relocations === undefined ? {} : { relocations }),
    },
    '.rodata.str1.1': { flags: 'ms', bytes: [...text('one'), ...text('two %d\n')], entsize: 1 },
    '.rodata.table': { bytes: bytesOf('00'.repeat(32)), symbols: [{ name: 'table', kind: 'object' }] },
    '.data..percpu': { flags: 'w', bytes: bytesOf('00'.repeat(8)), symbols: [{ name: 'counter', kind: 'object' }] },
  });
}

test('relocated operands show what they refer to', () => {
  const elf = unit(
    'e8 00000000 48c7c7 00000000 8b05 00000000 8b04bd 00000000 658b05 00000000 48b8 0000000000000000 c705 00000000 01000000 c3',
    [
      [1, PLT32, 'kmem_cache_free', -4],
      [8, ABS32S, '.rodata.str1.1', 4],
      [14, PC32, 'table', 4],
      [21, ABS32S, 'table', 8],
      [28, PC32, 'counter', -4],
      [34, ABS64, 'far', 16],
      [44, PC32, 'table', -8],
    ],
  );
  expect(listing(elf, 'f')).toEqual([
    '0 call   kmem_cache_free',
    '5 mov    $"two %d\\n",%rdi',
    'c mov    table+0x8(%rip),%eax',
    '12 mov    table+0x8(,%rdi,4),%eax',
    '19 mov    %gs:counter(%rip),%eax',
    '20 movabs $far+0x10,%rax',
    '2a movl   $0x1,table(%rip)',
    '34 ret',
  ]);
});

test('branches inside the function show the offset they lead to', () => {
  const elf = unit('7503 ffc0 90 ebf9 e9 00000000 c3', [[8, PLT32, 'elsewhere', -4]]);
  expect(listing(elf, 'f')).toEqual([
    '0 jne    +0x5',
    '2 inc    %eax',
    '4 nop',
    '5 jmp    +0x0',
    '7 jmp    elsewhere',
    'c ret',
  ]);
});

test('bytes that are no instruction are shown as such, and the end comes', () => {
  expect(listing(unit('06 c3 0f', undefined), 'f')).toEqual(['0 (bad)', '2 (bad)']);
});

test('strings are quoted as in C, and cut', () => {
  expect(quote(Buffer.from('a"b\\\n\x01\0'))).toBe('"a\\"b\\\\\\n\\x01"');
  expect(quote(Buffer.from(`${'x'.repeat(60)}\0`))).toBe(`"${'x'.repeat(39)}…"`);
});
