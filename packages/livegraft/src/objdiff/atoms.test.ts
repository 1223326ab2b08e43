import { describe, expect, test } from 'vitest';
import { type Atom, cutObject, type Target } from './atoms.ts';
import { ObjectError } from './object-error.ts';
import { ABS32S, ABS64, callAndReturn, object, PC32, PLT32, text } from './testing/object.ts';

const shape = ({ kind, name, start, size }: Atom) => [kind, name, start, size];
const named = (atoms: readonly Atom[], name: string): Atom => atoms.find((atom) => atom.name === name)!;
const meant = (target: Target) =>
  target.kind === 'atom' ? [target.atom.name, target.at, target.addend] : [target.symbol.name, target.addend];

describe('cutObject', () => {
  test('aliases are one atom, called by the global name rather than the weak one', () => {
    const { atoms } = cutObject(
      object({
        '.text.f': {
          flags: 'x',
          bytes: callAndReturn,
          symbols: [{ name: 'f_weak', bind: 'weak' }, { name: 'f', bind: 'global' }, { name: 'f_local' }],
        },
      }),
    );
    expect(atoms.map(shape)).toEqual([['function', 'f', 0, 6]]);
    expect(atoms[0]!.symbols.map((symbol) => symbol.name).sort()).toEqual(['f', 'f_local', 'f_weak']);
  });

  test('a function without a size reaches to the next name; the label of another unit’s assembly is a function', () => {
    const bytes = [0xc3, 0x90, 0xc3, 0x90, 0xc3];
    const { atoms } = cutObject(
      object({
        '.text': {
          flags: 'x',
          bytes,
          symbols: [
            { name: 'a', size: 0 },
            { name: 'b', at: 2, size: 1 },
            { name: 'label', at: 4, size: 0, kind: 'notype', bind: 'global' },
          ],
        },
      }),
    );
    expect(atoms.map(shape)).toEqual([
      ['function', 'a', 0, 2],
      ['function', 'b', 2, 1],
      ['function', 'label', 4, 1],
    ]);
  });

  test('a name inside a function is a place in it; what lies between names is unnamed, padding is nothing', () => {
    const { atoms } = cutObject(
      object({
        '.text': {
          flags: 'x',
          bytes: [...callAndReturn, 0x90, 0x90, ...callAndReturn],
          symbols: [
            { name: 'f', size: 6 },
            { name: 'inner', at: 2, size: 1 },
            { name: 'g', at: 8 },
          ],
        },
        '.data': {
          flags: 'w',
          bytes: [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 9],
          symbols: [
            { name: 'a', size: 4, kind: 'object' },
            { name: 'b', at: 12, size: 1, kind: 'object' },
          ],
        },
      }),
    );
    expect(atoms.map(shape)).toEqual([
      ['function', 'f', 0, 6],
      ['function', 'g', 8, 6],
      ['data', 'a', 0, 4],
      ['unnamed', '', 4, 8],
      ['data', 'b', 12, 1],
    ]);
  });

  test('a symbol or relocation outside its section is refused by name', () => {
    const late = { '.text': { flags: 'x', bytes: callAndReturn, symbols: [{ name: 'f', at: 4, size: 9 }] } };
    expect(() => cutObject(object(late))).toThrow('.text: f at 0x4+0x9 lies outside its 0x6 bytes');
    const crossing = { '.text': { flags: 'x', bytes: callAndReturn, relocations: [[4, PC32, 'x', 0]] as const } };
    expect(() => cutObject(object(crossing))).toThrow(ObjectError);
    const bare = { '.bss': { flags: 'w', size: 8, relocations: [[0, ABS64, 'x', 0]] as const } };
    expect(() => cutObject(object(bare))).toThrow('.bss: it has relocations, but no bytes');
  });
});

describe('references', () => {
  test('a displacement before an immediate means the byte behind the instruction', () => {
    // cmpb $1, b(%rip): the field is followed by one more byte, so the addend is -5
    const bytes = [0x80, 0x3d, 0, 0, 0, 0, 1, 0xc3];
    const { atoms, references } = cut({
      '.text.f': { flags: 'x', bytes, symbols: [{ name: 'f' }], relocations: [[2, PC32, '.data', 4 - 5]] },
      '.data': {
        flags: 'w',
        bytes: [1, 2, 3, 4, 5, 6, 7, 8],
        symbols: [
          { name: 'a', size: 4, kind: 'object' },
          { name: 'b', at: 4, kind: 'object' },
        ],
      },
    });
    expect(references(named(atoms, 'f')).map((each) => meant(each.target))).toEqual([['b', 0, -5]]);
  });

  test('a branch or address that the assembler resolved is found, also to the very start of the section', () => {
    const { atoms, references } = cut({
      '.noinstr.text': {
        flags: 'x',
        // first: ret; second: call first; lea first(%rip), %rax; jmp short third; third: ret
        bytes: [0xc3, 0x90, 0xe8, 0xf9, 0xff, 0xff, 0xff, 0x48, 0x8d, 0x05, 0xf2, 0xff, 0xff, 0xff, 0xeb, 0, 0xc3],
        symbols: [
          { name: 'first', size: 1 },
          { name: 'second', at: 2, size: 14 },
          { name: 'third', at: 16 },
        ],
      },
    });
    const found = references(named(atoms, 'second'));
    expect(found.every((each) => each.implied)).toBe(true);
    expect(found.map((each) => [each.offset, each.type, ...meant(each.target)])).toEqual([
      [1, 2, 'first', 0, -4],
      [8, 2, 'first', 0, -4],
      [13, 15, 'third', 0, -1],
    ]);
  });

  test('a string is meant by its own label, however far the code counts from there', () => {
    const { atoms, references, bytes } = cut({
      '.text.f': {
        flags: 'x',
        // movzbl digits-'0'(%rdi), %eax
        bytes: [0x0f, 0xb6, 0x87, 0, 0, 0, 0, 0xc3],
        symbols: [{ name: 'f' }],
        relocations: [[3, ABS32S, '.LC1', -48]],
      },
      '.rodata.str1.1': {
        flags: 'ms',
        entsize: 1,
        bytes: [...text('other, and long enough to be hit by minus 48 bytes!'), ...text('0123456789')],
        symbols: [{ name: '.LC1', at: 52, kind: 'notype', size: 0 }],
      },
    });
    const [reference] = references(named(atoms, 'f'));
    expect(reference!.target.kind === 'atom' && Buffer.from(bytes(reference!.target.atom)).toString()).toBe(
      '0123456789\0',
    );
    expect(meant(reference!.target).slice(1)).toEqual([-48, -48]);
  });

  const twoVariables = (
    relocation: readonly [number, number, string, number],
    code: readonly number[],
    bind?: 'global',
  ) =>
    cut({
      '.text.f': { flags: 'x', bytes: [...code, 0xc3], symbols: [{ name: 'f' }], relocations: [relocation] },
      '.data..read_mostly': {
        flags: 'w',
        bytes: [1, 2, 3, 4, 5, 6, 7, 8],
        symbols: [
          { name: 'a', size: 4, kind: 'object' },
          { name: 'b', at: 4, kind: 'object', ...(bind === undefined ? {} : { bind }) },
        ],
      },
    });

  test.each([
    ['mov b(%rip), %eax', [0x8b, 0x05, 0, 0, 0, 0], [2, PC32, '.data..read_mostly', 0] as const, undefined],
    ['mov $b, %rdi', [0x48, 0xc7, 0xc7, 0, 0, 0, 0], [3, ABS32S, '.data..read_mostly', 4] as const, true],
    ['mov b(,%rdi,4), %eax', [0x8b, 0x04, 0xbd, 0, 0, 0, 0], [3, ABS32S, '.data..read_mostly', 4] as const, true],
    ['lea b(%rip), %rdi', [0x48, 0x8d, 0x3d, 0, 0, 0, 0], [3, PC32, '.data..read_mostly', 0] as const, true],
  ])(
    '%s: an address in a section of several variables is doubtful unless it is accessed right there',
    (_, code, relocation, doubtful) => {
      const { atoms, references } = twoVariables(relocation, code);
      const { target } = references(named(atoms, 'f'))[0]!;
      expect(meant(target).slice(0, 2)).toEqual(['b', 0]);
      expect(target.kind === 'atom' && target.doubtful).toBe(doubtful);
    },
  );

  test('a descriptor of pr_debug() is meant by its address: nothing counts to the end of the one before', () => {
    const { atoms, references } = cut({
      '.text.f': {
        flags: 'x',
        bytes: [0x48, 0xc7, 0xc7, 0, 0, 0, 0, 0xc3],
        symbols: [{ name: 'f' }],
        relocations: [[3, ABS32S, '__dyndbg', 56]],
      },
      __dyndbg: {
        flags: 'w',
        size: 112,
        bytes: Array.from({ length: 112 }, () => 0),
        symbols: [
          { name: '__UNIQUE_ID_ddebug1.1', size: 56, kind: 'object' },
          { name: '__UNIQUE_ID_ddebug2.0', at: 56, kind: 'object' },
        ],
      },
    });
    const { target } = references(named(atoms, 'f'))[0]!;
    expect(meant(target)).toEqual(['__UNIQUE_ID_ddebug2.0', 0, 0]);
    expect(target.kind === 'atom' && target.doubtful).toBe(undefined);
  });

  test('where the variable that begins there is global, the end of the one before is meant', () => {
    const { atoms, references } = twoVariables(
      [3, ABS32S, '.data..read_mostly', 4],
      [0x48, 0xc7, 0xc7, 0, 0, 0, 0],
      'global',
    );
    expect(meant(references(named(atoms, 'f'))[0]!.target)).toEqual(['a', 4, 4]);
  });

  test('a branch relocation means its target', () => {
    const { atoms, references } = cut({
      '.text.f': {
        flags: 'x',
        bytes: callAndReturn,
        symbols: [{ name: 'f' }],
        relocations: [[1, PLT32, '.text.g', -4]],
      },
      '.text.g': { flags: 'x', bytes: [0xc3], symbols: [{ name: 'g' }] },
    });
    expect(references(named(atoms, 'f')).map((each) => meant(each.target))).toEqual([['g', 0, -4]]);
  });
});

function cut(sections: Parameters<typeof object>[0]) {
  const unit = cutObject(object(sections));
  return { atoms: unit.atoms, references: unit.references.bind(unit), bytes: unit.bytes.bind(unit) };
}
