import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError } from '../format-error.ts';
import { EM, ET, R_X86_64, SHF, SHN, SHT, STB, STT } from './constants.ts';
import { readElf, sectionNamed } from './read.ts';
import { type ElfSpec, writeElf } from './write.ts';

const small: ElfSpec = {
  type: ET.REL,
  machine: EM.X86_64,
  sections: [
    {
      name: '.text',
      type: SHT.PROGBITS,
      flags: SHF.ALLOC | SHF.EXECINSTR,
      addralign: 16,
      data: Uint8Array.of(0xe8, 0, 0, 0, 0, 0xc3),
    },
    { name: '.bss', type: SHT.NOBITS, flags: SHF.ALLOC | SHF.WRITE, addralign: 8, size: 24 },
  ],
  symbols: [
    { name: '', value: 0, size: 0, binding: STB.LOCAL, type: STT.SECTION, section: 2 },
    {
      name: '.klp.sym.vmlinux.f,1',
      value: 0,
      size: 0,
      binding: STB.LOCAL,
      type: STT.NOTYPE,
      section: 0,
      special: SHN.LIVEPATCH,
    },
    { name: 'f', value: 0, size: 6, binding: STB.GLOBAL, type: STT.FUNC, section: 1 },
    { name: 'outside', value: 0, size: 0, binding: STB.GLOBAL, type: STT.NOTYPE, section: 0 },
  ],
  relocations: [{ section: 1, entries: [{ offset: 1, type: R_X86_64.PLT32, symbol: 4, addend: -4 }] }],
};

/** Reads, and lets only FormatError pass. */
function tryRead(bytes: Uint8Array): void {
  try {
    readElf(bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
}

describe('readElf', () => {
  test('returns what writeElf was given', () => {
    const file = readElf(writeElf(small));
    expect(file.type).toBe(ET.REL);
    expect(sectionNamed(file, '.text')?.data).toEqual(Uint8Array.of(0xe8, 0, 0, 0, 0, 0xc3));
    expect(sectionNamed(file, '.text')?.relocations).toEqual([
      { offset: 1, type: R_X86_64.PLT32, symbol: 4, addend: -4 },
    ]);
    expect(sectionNamed(file, '.bss')).toMatchObject({ size: 24, type: SHT.NOBITS });
    expect(file.symbols.map((symbol) => symbol.name)).toEqual(['', '', '.klp.sym.vmlinux.f,1', 'f', 'outside']);
    expect(file.symbols[2]).toMatchObject({ special: SHN.LIVEPATCH, section: 0 });
  });

  test('a file cut off at any byte is refused, or has lost only what nothing needs', () => {
    const bytes = writeElf(small);
    for (let end = 0; end < bytes.length; end++) expect(() => readElf(bytes.subarray(0, end))).toThrow(FormatError);
  });

  test('a file with any bytes changed gives a value or FormatError', () => {
    const bytes = writeElf(small);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const copy = Uint8Array.from(bytes);
          for (const [at, value] of changes) copy[at] = value;
          tryRead(copy);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test.each([
    ['a relocation behind its section', 'elf-rela-offset', { offset: 6, symbol: 1 }],
    ['a relocation of the last byte of nothing', 'elf-rela-offset', { offset: 2 ** 40, symbol: 1 }],
  ])('%s is %s', (_, code, entry) => {
    const spec = { ...small, relocations: [{ section: 1, entries: [{ type: 2, addend: 0, ...entry }] }] };
    expect(() => readElf(writeElf(spec))).toThrow(expect.objectContaining({ code }));
  });

  test('a relocation with a symbol that is not there is elf-rela-symbol', () => {
    const bytes = writeElf(small);
    const rela = readElf(bytes).sections.find((section) => section.type === SHT.RELA)!;
    new DataView(bytes.buffer).setUint32(rela.offset + 12, 99, true);
    expect(() => readElf(bytes)).toThrow(expect.objectContaining({ code: 'elf-rela-symbol' }));
  });

  test('relocation sections that overlap are elf-rela-overlap', () => {
    const entries = Array.from({ length: 40 }, () => ({ offset: 1, type: 2, symbol: 1, addend: 0 }));
    const relocations = Array.from({ length: 12 }, (_, i) => ({ section: 1, entries: i === 0 ? entries : [] }));
    const bytes = writeElf({ ...small, relocations });
    const view = new DataView(bytes.buffer);
    const table = Number(view.getBigUint64(40, true));
    const [first, ...others] = readElf(bytes).sections.filter((section) => section.type === SHT.RELA);
    for (const { index } of others) {
      view.setBigUint64(table + 64 * index + 24, BigInt(first!.offset), true);
      view.setBigUint64(table + 64 * index + 32, BigInt(first!.size), true);
    }
    expect(() => readElf(bytes)).toThrow(expect.objectContaining({ code: 'elf-rela-overlap' }));
  });

  test('a name without an end is elf-name', () => {
    const long = { ...small, symbols: [{ ...small.symbols![3]!, name: 'x'.repeat(5000) }], relocations: [] };
    expect(() => readElf(writeElf(long))).toThrow(expect.objectContaining({ code: 'elf-name' }));
  });
});

const name = fc.string({ unit: fc.constantFrom(...'abcdefgh._0123'), minLength: 1, maxLength: 12 });
const spec: fc.Arbitrary<ElfSpec> = fc
  .array(fc.record({ name, data: fc.uint8Array({ minLength: 1, maxLength: 40 }) }), { minLength: 1, maxLength: 6 })
  .chain((sections) =>
    fc
      .record({
        locals: fc.array(fc.record({ name, section: fc.integer({ min: 1, max: sections.length }) }), { maxLength: 6 }),
        globals: fc.array(fc.record({ name, section: fc.integer({ min: 0, max: sections.length }) }), { maxLength: 6 }),
        at: fc.nat(),
        addend: fc.integer(),
      })
      .map(({ locals, globals, at, addend }): ElfSpec => {
        const symbol = (binding: number) => (each: { name: string; section: number }) => ({
          ...each,
          value: at % 40,
          size: 1,
          binding,
          type: STT.OBJECT,
        });
        return {
          type: ET.REL,
          machine: EM.X86_64,
          sections: sections.map((each) => ({
            ...each,
            type: SHT.PROGBITS,
            flags: SHF.ALLOC,
            addralign: 1 << (at % 5),
          })),
          symbols: [...locals.map(symbol(STB.LOCAL)), ...globals.map(symbol(STB.GLOBAL))],
          relocations: sections.map((each, i) => ({
            section: i + 1,
            entries: [
              { offset: at % each.data.length, type: R_X86_64['32S'], symbol: at % (locals.length + 1), addend },
            ],
          })),
        };
      }),
  );

describe('writeElf', () => {
  test('any file reads back as it was given', () => {
    fc.assert(
      fc.property(spec, (given) => {
        const file = readElf(writeElf(given));
        given.sections.forEach((section, i) => {
          expect(file.sections[i + 1]).toMatchObject({ name: section.name, flags: section.flags });
          expect(file.sections[i + 1]!.data).toEqual(section.data);
          expect(file.sections[i + 1]!.offset % section.addralign).toBe(0);
          expect(file.sections[i + 1]!.relocations).toEqual(given.relocations![i]!.entries);
        });
        expect(
          file.symbols.slice(1).map(({ index: _index, value, ...rest }) => ({ ...rest, value: Number(value) })),
        ).toEqual(given.symbols!.map((symbol) => ({ ...symbol, other: 0 })));
      }),
    );
  });

  test('contradicting parts are refused by name', () => {
    const [section, klp, f] = small.symbols!;
    expect(() => writeElf({ ...small, symbols: [f!, klp!] })).toThrow(
      expect.objectContaining({ code: 'elf-symbol-order' }),
    );
    expect(() => writeElf({ ...small, symbols: [{ ...section!, section: 3 }], relocations: [] })).toThrow(
      expect.objectContaining({ code: 'elf-st-shndx' }),
    );
    const entries = [{ offset: 0, type: 2, symbol: 5, addend: 0 }];
    expect(() => writeElf({ ...small, relocations: [{ section: 1, entries }] })).toThrow(
      expect.objectContaining({ code: 'elf-rela-symbol' }),
    );
    expect(() => writeElf({ ...small, relocations: [{ section: 7, entries: [] }] })).toThrow(
      expect.objectContaining({ code: 'elf-rela-section' }),
    );
  });

  test('more sections than a header can count are written and read (SHN_XINDEX)', () => {
    const count = 0xff10;
    const sections = Array.from({ length: count }, () => ({
      name: '.x',
      type: SHT.PROGBITS,
      flags: SHF.ALLOC,
      addralign: 1,
      data: Uint8Array.of(1),
    }));
    const symbols = [{ name: 'last', value: 0, size: 1, binding: STB.GLOBAL, type: STT.OBJECT, section: count }];
    const file = readElf(writeElf({ type: ET.REL, machine: EM.X86_64, sections, symbols }));
    expect(file.sections).toHaveLength(count + 5);
    expect(file.symbols[1]).toMatchObject({ name: 'last', section: count });
    expect(file.symbols[1]).not.toHaveProperty('special');
  });

  describe('as readelf sees it', () => {
    let dir: string;
    beforeAll(() => {
      dir = mkdtempSync(join(tmpdir(), 'elf-test-'));
    });
    afterAll(() => rmSync(dir, { recursive: true }));

    const readelf = (given: ElfSpec, ...flags: string[]): string => {
      const path = join(dir, 'x.o');
      writeFileSync(path, writeElf(given));
      return execFileSync('readelf', [...flags, path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    };

    test('sections, symbols and relocations', () => {
      const text = readelf(small, '-WSrs');
      expect(text).toMatch(/\.text +PROGBITS +0+ \w+ 000006 00 +AX +0 +0 16/);
      expect(text).toMatch(/\.bss +NOBITS +0+ \w+ 000018 00 +WA +0 +0 +8/);
      expect(text).toMatch(/\.rela\.text +RELA +0+ \w+ 000018 18 +I +4 +1 +8/);
      expect(text).toMatch(/0+1 +0+40+4 R_X86_64_PLT32 +0+ outside - 4/);
      expect(text).toMatch(/LOCAL +DEFAULT +OS \[0xff20\] \.klp\.sym\.vmlinux\.f,1/);
      expect(text).toMatch(/6 FUNC +GLOBAL DEFAULT +1 f/);
      expect(text).not.toMatch(/[Ww]arning|[Ee]rror/);
    });

    test('more sections than a header can count', () => {
      const sections = Array.from({ length: 0xff10 }, () => ({ ...small.sections[0]!, name: '.x', addralign: 1 }));
      const symbols = [{ name: 'last', value: 0, size: 1, binding: STB.GLOBAL, type: STT.OBJECT, section: 0xff10 }];
      const text = readelf({ ...small, sections, symbols, relocations: [] }, '-Whs');
      expect(text).toMatch(/Number of section headers: +0 \(65301\)/);
      expect(text).toMatch(/GLOBAL DEFAULT 65296 last/);
    });
  });
});
