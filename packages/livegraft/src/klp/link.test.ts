import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHF, SHN, SHT, STT } from '@livegraft/binfmt/elf/constants';
import { readElf, sectionNamed } from '@livegraft/binfmt/elf/read';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { linkModule } from './link.ts';
import type { KlpTarget, Piece, PieceRelocation } from './piece.ts';

function piece(section: string, flags: number, bytes: readonly number[], more: Partial<Piece> = {}): Piece {
  return {
    section,
    type: SHT.PROGBITS,
    flags: SHF.ALLOC | flags,
    align: 1,
    entsize: 0,
    size: bytes.length,
    bytes: Uint8Array.from(bytes),
    symbols: [],
    relocations: [],
    ...more,
  };
}
const klp = (applyWith: string, object: string, name: string, position = 0): KlpTarget => ({
  kind: 'klp',
  applyWith,
  object,
  name,
  position,
});
const call = (target: PieceRelocation['target'], offset = 1): PieceRelocation => ({
  offset,
  type: 4,
  addend: -4,
  target,
});
const code = (name: string, relocations: PieceRelocation[]): Piece =>
  piece('.text', SHF.EXECINSTR, [0xe8, 0, 0, 0, 0, 0xc3], {
    align: 16,
    symbols: [{ name, offset: 0, size: 6, type: STT.FUNC }],
    relocations,
  });

const text = piece('.rodata.str1.1', SHF.MERGE | SHF.STRINGS, [0x68, 0x69, 0], { entsize: 1 });
const zero = piece('.bss', SHF.WRITE, [], { type: SHT.NOBITS, size: 24, align: 8 });
const first = code('first', [call(klp('ext4', 'ext4', 'helper', 2))]);
const second = code('second', [call({ kind: 'piece', piece: first })]);
const third = code('third.isra.0', [
  call({ kind: 'export', name: 'printk' }),
  { offset: 2, type: 10, addend: 1, target: { kind: 'piece', piece: text } },
]);
const fourth = code('fourth', [call(klp('vmlinux', 'vmlinux', 'hidden')), call(klp('ext4', 'jbd2', 'journal'), 2)]);
const self = piece('.gnu.linkonce.this_module', SHF.WRITE, [0, 0, 0, 0, 0, 0, 0, 0], {
  symbols: [{ name: '__this_module', offset: 0, size: 8, type: STT.OBJECT }],
});
const pieces = [first, text, second, third, fourth, zero, self];

test('the padding before a function goes with it, and the function keeps its alignment', () => {
  const padded = (name: string): Piece => ({
    ...code(name, []),
    entryPadding: Uint8Array.from({ length: 16 }, () => 0x90),
    symbols: [
      { name, offset: 0, size: 6, type: STT.FUNC },
      { name: `__pfx_${name}`, offset: -16, size: 16, type: STT.FUNC },
    ],
  });
  const user = padded('user');
  user.relocations.push(call({ kind: 'piece', piece: user }));
  const { symbols, sections } = readElf(linkModule([padded('a'), user]));
  const at = Object.fromEntries(symbols.filter(({ name }) => name !== '').map(({ name, value }) => [name, value]));
  expect(at).toEqual({ __pfx_a: 0n, a: 16n, __pfx_user: 32n, user: 48n });
  const [text] = sections.filter(({ name }) => name === '.text');
  expect(text!.data.subarray(0, 16).every((byte) => byte === 0x90)).toBe(true);
  expect([...text!.data.subarray(16, 49)]).toEqual([
    ...[0xe8, 0, 0, 0, 0, 0xc3],
    ...Array.from({ length: 10 }, () => 0xcc),
    ...Array.from({ length: 16 }, () => 0x90),
    0xe8,
  ]);
  const [field] = text!.relocations;
  expect(symbols[field!.symbol]!.name).toBe('user');
});

describe('linkModule', () => {
  const file = readElf(linkModule(pieces));

  test('pieces of one section stand behind each other, aligned, with int3 between functions', () => {
    const { data } = sectionNamed(file, '.text')!;
    expect(data).toHaveLength(54);
    expect([...data.subarray(6, 16)]).toEqual(Array.from({ length: 10 }, () => 0xcc));
    expect(
      file.symbols.filter((symbol) => symbol.type === STT.FUNC).map(({ name, value }) => [name, Number(value)]),
    ).toEqual([
      ['first', 0],
      ['second', 16],
      ['third.isra.0', 32],
      ['fourth', 48],
    ]);
  });

  test('a piece without a symbol is meant by its section and place', () => {
    const relocation = sectionNamed(file, '.text')!.relocations.find((each) => each.type === 10)!;
    expect(file.symbols[relocation.symbol]).toMatchObject({ type: STT.SECTION });
    expect(file.sections[file.symbols[relocation.symbol]!.section]!.name).toBe('.rodata.str1.1');
    expect(relocation).toMatchObject({ offset: 34, addend: 1 });
  });

  test('the same pieces give the same bytes', () => {
    expect(linkModule(pieces)).toEqual(linkModule(pieces));
  });

  test('data and space without bytes share a section as bytes', () => {
    const data = piece('.data', SHF.WRITE, [1, 2, 3]);
    const space = piece('.data', SHF.WRITE, [], { type: SHT.NOBITS, size: 4, align: 4 });
    const section = sectionNamed(readElf(linkModule([space, data])), '.data')!;
    expect(section.type).toBe(SHT.PROGBITS);
    expect([...section.data]).toEqual([0, 0, 0, 0, 1, 2, 3]);
  });
});

describe('as readelf sees it', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'link-test-'));
    writeFileSync(join(dir, 'module.ko'), linkModule(pieces));
  });
  afterAll(() => rmSync(dir, { recursive: true }));
  const readelf = (flag: string): string =>
    execFileSync('readelf', ['-W', flag, join(dir, 'module.ko')], { encoding: 'utf8' });

  test('sections', () => {
    const text = readelf('-S');
    expect(text).toMatch(/ \.text +PROGBITS .* AX +0 +0 16/);
    expect(text).toMatch(/ \.bss +NOBITS .* 000018 00 +WA /);
    expect(text).toMatch(/ \.rodata\.str1\.1 +PROGBITS .* 01 AMS /);
    // SHF_RELA_LIVEPATCH is one of the bits that readelf shows as "specific to the operating system"
    expect(text).toMatch(/ \.klp\.rela\.ext4\.\.text +RELA .* 000030 18 AIo +\d+ +1 +8/);
    expect(text).toMatch(/ \.klp\.rela\.vmlinux\.\.text +RELA .* 000018 18 AIo /);
    expect(text).toMatch(/ \.rela\.text +RELA .* 000048 18 +I /);
    const klpSections = readElf(linkModule(pieces)).sections.filter((section) => section.name.startsWith('.klp'));
    expect(klpSections.every((section) => (section.flags & SHF.RELA_LIVEPATCH) !== 0)).toBe(true);
  });

  test('symbols: local ones first, those of the livepatch core marked, the loader’s own global', () => {
    const lines = readelf('-s')
      .split('\n')
      .filter((line) => /LOCAL|GLOBAL/.test(line));
    const firstGlobal = lines.findIndex((line) => line.includes('GLOBAL'));
    expect(lines.slice(firstGlobal).every((line) => line.includes('GLOBAL'))).toBe(true);
    const of = (name: string): string => lines.find((line) => line.trimEnd().endsWith(` ${name}`)) ?? '';
    expect(of('.klp.sym.ext4.helper,2')).toMatch(/LOCAL .*\[0xff20\]/);
    expect(of('.klp.sym.jbd2.journal,0')).toMatch(/LOCAL .*\[0xff20\]/);
    expect(of('.klp.sym.vmlinux.hidden,0')).toMatch(/LOCAL .*\[0xff20\]/);
    expect(of('printk')).toMatch(/GLOBAL DEFAULT +UND/);
    expect(of('__this_module')).toMatch(/OBJECT +GLOBAL/);
    expect(of('first')).toMatch(/FUNC +LOCAL/);
    expect(SHN.LIVEPATCH).toBe(0xff20);
  });

  test('relocations', () => {
    const text = readelf('-r');
    const section = (name: string): string =>
      text.split('Relocation section').find((part) => part.includes(`'${name}'`)) ?? '';
    expect(section('.klp.rela.ext4..text')).toMatch(/0+1 .* R_X86_64_PLT32 .* \.klp\.sym\.ext4\.helper,2 - 4/);
    expect(section('.klp.rela.ext4..text')).toMatch(/0+32 .* R_X86_64_PLT32 .* \.klp\.sym\.jbd2\.journal,0 - 4/);
    expect(section('.klp.rela.vmlinux..text')).toMatch(/0+31 .* R_X86_64_PLT32 .* \.klp\.sym\.vmlinux\.hidden,0 - 4/);
    expect(section('.rela.text')).toMatch(/0+11 .* R_X86_64_PLT32 +0+ first - 4/);
    expect(section('.rela.text')).toMatch(/0+21 .* R_X86_64_PLT32 +0+ printk - 4/);
    expect(section('.rela.text')).toMatch(/0+22 .* R_X86_64_32 +0+ \.rodata\.str1\.1 \+ 1/);
  });
});
