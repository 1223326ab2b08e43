import { describe, expect, test } from 'vitest';
import { cutObject } from './atoms.ts';
import { ObjectError } from './object-error.ts';
import { entriesOf } from './special.ts';
import { ABS64, object, PC32, type SectionLines, u32 } from './testing/object.ts';

const code: SectionLines = {
  flags: 'x',
  bytes: Array.from({ length: 32 }, () => 0x90),
  symbols: [
    { name: 'f', size: 16 },
    { name: 'g', at: 16 },
  ],
};
const entries = (sections: Record<string, SectionLines>) => {
  const unit = cutObject(object({ '.text': code, ...sections }));
  return [...entriesOf(unit)].flatMap(([atom, list]) =>
    list.map((entry) => ({
      owner: atom.name,
      at: entry.at,
      bytes: entry.bytes.length,
      references: entry.references.length,
    })),
  );
};
const zeros = (n: number): number[] => Array.from({ length: n }, () => 0);

describe('entriesOf', () => {
  test('the owner is the function that the first field points into', () => {
    const table = {
      bytes: zeros(24),
      relocations: [
        [0, PC32, '.text', 3],
        [4, PC32, '.rodata', 0],
        [12, PC32, '.text', 18],
        [16, PC32, '.rodata', 0],
      ],
    } as const;
    expect(entries({ __bug_table: table, '.rodata': { bytes: [1] } })).toEqual([
      { owner: 'f', at: 3, bytes: 12, references: 2 },
      { owner: 'g', at: 2, bytes: 12, references: 2 },
    ]);
  });

  test('an entry about the room before a function is about the function, and so the room', () => {
    const bytes = [...zeros(16), 0xc3, ...Array.from({ length: 31 }, () => 0x90), 0xc3];
    const room = (name: string, at: number) => [
      { name: `__pfx_${name}`, at, size: 16 },
      { name, at: at + 16, size: 1 },
    ];
    const roomy: SectionLines = { flags: 'x', bytes, symbols: [...room('f', 0), ...room('g', 32)] };
    const at = (offset: number, place: number) => [offset, PC32, '.text', place] as const;
    const table = { bytes: zeros(16), relocations: [at(0, 0), at(4, 16), at(8, 17), at(12, 32)] };
    expect(entries({ '.text': roomy, '.call_sites': table })).toEqual([
      { owner: 'f', at: -16, bytes: 4, references: 1 },
      { owner: 'f', at: 0, bytes: 4, references: 1 },
      { owner: 'f', at: 1, bytes: 4, references: 1 },
      { owner: 'g', at: -16, bytes: 4, references: 1 },
    ]);
    const { atoms } = cutObject(object({ '.text': roomy }));
    expect(atoms.map(({ name, start, size, entryPadding }) => [name, start, size, entryPadding])).toEqual([
      ['f', 16, 1, 16],
      ['g', 48, 1, 16],
    ]);
  });

  test('a static call whose key is code, too, is one entry of 8 bytes', () => {
    const table = {
      bytes: zeros(8),
      relocations: [
        [0, PC32, '.text', 3],
        [4, PC32, '.text', 16],
      ],
    } as const;
    expect(entries({ '.static_call_sites': table })).toEqual([{ owner: 'f', at: 3, bytes: 8, references: 2 }]);
  });

  test('jump entries with absolute fields are 24 bytes', () => {
    const relocations = [0, 24].flatMap(
      (at) =>
        [
          [at, ABS64, '.text', at],
          [at + 8, ABS64, '.text', 12],
          [at + 16, ABS64, 'key', 0],
        ] as const,
    );
    expect(entries({ __jump_table: { bytes: zeros(48), relocations } }).map((entry) => entry.bytes)).toEqual([24, 24]);
  });

  test('the last paravirt site may be cut short', () => {
    const bytes = zeros(12);
    bytes[9] = 7;
    expect(entries({ '.parainstructions': { bytes, relocations: [[0, ABS64, '.text', 1]] } })).toEqual([
      { owner: 'f', at: 1, bytes: 16, references: 1 },
    ]);
  });

  test('an empty replacement is nothing; the next one is not drawn in', () => {
    const unit = cutObject(
      object({
        '.text': code,
        '.altinstr_replacement': { flags: 'x', bytes: [0x0f, 0x1f, 0x00, 0x90] },
        '.altinstructions': {
          bytes: [...zeros(10), 5, 3, ...zeros(10), 5, 0, ...zeros(10), 5, 1],
          relocations: [
            [0, PC32, '.text', 0],
            [4, PC32, '.altinstr_replacement', 0],
            [12, PC32, '.text', 0],
            [16, PC32, '.altinstr_replacement', 3],
            [24, PC32, '.text', 16],
            [28, PC32, '.altinstr_replacement', 3],
          ],
        },
      }),
    );
    expect(unit.atoms.filter((atom) => atom.kind === 'fragment').map(({ start, size }) => [start, size])).toEqual([
      [0, 3],
      [3, 1],
    ]);
    const f = entriesOf(unit).get(unit.atoms.find((atom) => atom.name === 'f')!)!;
    expect(f.map((entry) => [entry.references.length, entry.overwrites])).toEqual([
      [2, 5],
      [1, 5],
    ]);
  });

  test('out-of-line code that falls through into what something points to stays in one piece', () => {
    const { atoms } = cutObject(
      object({
        '.text': code,
        // mov $1,%eax; [pointed to:] jmp .text+5 | ud2
        '.fixup': {
          flags: 'x',
          bytes: [0xb8, 1, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0x0f, 0x0b],
          relocations: [[6, PC32, '.text', 1]],
        },
        __ex_table: {
          bytes: zeros(36),
          relocations: [0, 5, 10].flatMap((at, i) => [
            [12 * i, PC32, '.text', 2] as const,
            [12 * i + 4, PC32, '.fixup', at] as const,
          ]),
        },
      }),
    );
    expect(atoms.filter((atom) => atom.kind === 'fragment').map(({ start, size }) => [start, size])).toEqual([
      [0, 10],
      [10, 2],
    ]);
  });

  test.each([
    ['without relocations', { bytes: zeros(12) }, 'its first bytes are not relocated'],
    ['of an unknown size', { bytes: zeros(20), relocations: [[0, PC32, '.text', 0]] }, 'no entry size fits'],
    ['about something outside', { bytes: zeros(12), relocations: [[0, PC32, 'elsewhere', 0]] }, 'no entry size fits'],
  ] as const)('a table %s is refused', (_, table, message) => {
    expect(() => entries({ __bug_table: table })).toThrow(ObjectError);
    expect(() => entries({ __bug_table: table })).toThrow(message);
  });

  test('exception entries of 8 bytes are refused, not misread', () => {
    const relocations = [0, 4, 8, 12, 16, 20].map((at) => [at, PC32, '.text', at + 1] as const);
    expect(() => entries({ __ex_table: { bytes: zeros(24), relocations } })).toThrow(/8 bytes/);
  });

  test('unwind entries keep to their addresses, and must be as many', () => {
    const ip = {
      bytes: [...u32(0), ...u32(0)],
      relocations: [
        [0, PC32, '.text', 0],
        [4, PC32, '.text', 16],
      ],
    } as const;
    expect(() => entries({ '.orc_unwind_ip': ip, '.orc_unwind': { bytes: zeros(13) } })).toThrow(
      /13 bytes of \.orc_unwind/,
    );
    expect(() => entries({ '.orc_unwind_ip': ip })).toThrow(/0 bytes of \.orc_unwind/);
    const unit = cutObject(
      object({ '.text': code, '.orc_unwind_ip': ip, '.orc_unwind': { bytes: [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2] } }),
    );
    const orc = [...entriesOf(unit)].map(([atom, [entry]]) => [atom.name, entry!.orc!.bytes[0]]);
    expect(orc).toEqual([
      ['f', 1],
      ['g', 2],
    ]);
  });
});
