import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { ABS32S, ABS64, callAndReturn, PC32, PLT32, type SectionLines, text } from '../objdiff/testing/object.ts';
import { extract } from './extract.ts';
import { replacedPosition } from './module.ts';
import type { Piece } from './piece.ts';
import { type Lines, type Surroundings, unitOf } from './testing.ts';

const zeros = (n: number): number[] => Array.from({ length: n }, () => 0);
const nops = (n: number): number[] => Array.from({ length: n }, () => 0x90);

/** Two functions, f and g, and what else is given; patched, f ends otherwise. */
function pair(code: readonly number[], more: Lines = {}, lines: Partial<SectionLines> = {}): [Lines, Lines] {
  const unit = (end: number): Lines => ({
    '.text.f': { flags: 'x', bytes: [...code, end, 0xc3], symbols: [{ name: 'f', bind: 'global' }], ...lines },
    '.text.g': { flags: 'x', bytes: [0x90, 0x90, 0xc3], symbols: [{ name: 'g' }] },
    ...more,
  });
  return [unit(0x90), unit(0xcc)];
}

async function pieces([original, patched]: [Lines, Lines], surroundings: Surroundings = {}) {
  return extract([unitOf(original, patched, surroundings)]);
}

async function codes(both: [Lines, Lines], surroundings: Surroundings = {}): Promise<string[]> {
  try {
    await pieces(both, surroundings);
    return [];
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return error.diagnostics.map((each) => each.code);
  }
}

/** What a piece refers to, in words. */
const targets = (piece: Piece) =>
  piece.relocations.map(({ offset, addend, target }) => [
    offset,
    target.kind === 'piece'
      ? `new ${target.piece.symbols[0]?.name ?? target.piece.section}`
      : target.kind === 'export'
        ? `export ${target.name}`
        : `klp ${target.object}.${target.name},${target.position}`,
    addend,
  ]);

describe('references to functions', () => {
  test('a place inside of a replaced function is in the new code, its address stays the old one', async () => {
    const code = [0x48, 0xc7, 0xc7, ...zeros(4), 0x48, 0xc7, 0xc7, ...zeros(4)];
    const relocations = [
      [3, ABS32S, '.text.f', 7],
      [10, ABS32S, 'f', 0],
    ] as const;
    const { pieces: found } = await pieces(pair(code, {}, { relocations }));
    expect(targets(found[0]!)).toEqual([
      [3, 'new f', 7],
      [10, 'klp vmlinux.f,0', 0],
    ]);
  });

  test('a jump table leads into the new code', async () => {
    const table = {
      bytes: zeros(16),
      relocations: [
        [0, ABS64, '.text.f', 7],
        [8, ABS64, '.text.f', 8],
      ],
    } as const;
    const relocations = [[3, ABS32S, '.rodata.f', 0]] as const;
    const { pieces: found } = await pieces(
      pair([0xff, 0x24, 0xfd, ...zeros(4)], { '.rodata.f': table }, { relocations }),
    );
    expect(found.map((piece) => piece.section)).toEqual(['.text', '.rodata']);
    expect(targets(found[1]!)).toEqual([
      [0, 'new f', 7],
      [8, 'new f', 8],
    ]);
  });

  test('a place inside of a function that stays is refused', async () => {
    const relocations = [[3, ABS32S, '.text.g', 1]] as const;
    expect(await codes(pair([0x48, 0xc7, 0xc7, ...zeros(4)], {}, { relocations }))).toEqual(['inside-of-other']);
  });

  test('calls of replaced functions go to the new code, of others to the running one', async () => {
    const relocations = [[1, PLT32, '.text.g', -4]] as const;
    const [original, patched] = pair([0xe8, ...zeros(4)], {}, { relocations });
    const { pieces: found } = await pieces([original, patched]);
    expect(targets(found[0]!)).toEqual([[1, 'klp vmlinux.g,0', -4]]);
    const both = { ...patched, '.text.g': { ...patched['.text.g'], bytes: [0x90, 0xcc, 0xc3] } };
    const changed = await pieces([original, both]);
    expect(targets(changed.pieces[0]!)).toEqual([[1, 'new g', -4]]);
  });

  test('a local function whose shipped code is another one is refused', async () => {
    const relocations = [[1, PLT32, '.text.g', -4]] as const;
    const both = pair([0xe8, ...zeros(4)], {}, { relocations });
    const shipped = { ...both[0], '.text.g': { ...both[0]['.text.g'], bytes: [0xcc, 0x90, 0xc3] } };
    expect(await codes(both, { shipped })).toEqual(['symbol-unresolved']);
  });
});

describe('what the compiler numbered', () => {
  const clones = (first: number, second: number): Lines => ({
    '.text.h.constprop.0': { flags: 'x', bytes: [first, 0xc3], symbols: [{ name: 'h.constprop.0' }] },
    '.text.h.constprop.1': { flags: 'x', bytes: [second, 0xc3], symbols: [{ name: 'h.constprop.1' }] },
  });
  const both = pair([0xe8, ...zeros(4)], clones(0x90, 0x91), { relocations: [[1, PLT32, '.text.h.constprop.1', -4]] });

  test('is what it is called where the proof agrees', async () => {
    const { pieces: found } = await pieces(both);
    expect(targets(found[0]!)).toEqual([[1, 'klp vmlinux.h.constprop.1,0', -4]]);
  });

  test('is refused where the proof has the numbers the other way round', async () => {
    const proof = { ...both[0], ...clones(0x91, 0x90) };
    expect(await codes(both, { proof, shipped: proof })).toEqual(['symbol-unresolved']);
  });
});

describe('a replaced clone', () => {
  const clone = (number: number, code: number): Lines => ({
    [`.text.h.constprop.${number}`]: { flags: 'x', bytes: [code, 0xc3], symbols: [{ name: `h.constprop.${number}` }] },
  });
  const both: [Lines, Lines] = [clone(0, 0x90), clone(0, 0xcc)];

  test('is replaced under its name', async () => {
    expect(await codes(both)).toEqual([]);
  });

  test('is refused where the proof has another clone of that number', async () => {
    const proof = { ...clone(0, 0x91), ...clone(1, 0x90) };
    expect(await codes(both, { proof, shipped: proof })).toEqual(['symbol-unresolved']);
  });
});

describe('units of one patch', () => {
  const caller = (end: number): Lines => ({
    '.text.call': {
      flags: 'x',
      bytes: [0xe8, ...zeros(4), end],
      symbols: [{ name: 'call', bind: 'global' }],
      relocations: [[1, PLT32, 'h', -4]],
    },
  });
  const owner = (bind: 'local' | 'global', end: number): Lines => ({
    '.text.h': { flags: 'x', bytes: [0x90, end], symbols: [{ name: 'h', bind }] },
  });
  const shipped = { ...caller(0xc3), ...owner('local', 0xc3) };
  const called = async (before: Lines, after: Lines) => {
    const units = [unitOf(caller(0xc3), caller(0xcc), { shipped }), unitOf(before, after, { shipped })];
    const space = units[0]!.space;
    const { pieces: found } = await extract(units.map((unit) => ({ ...unit, space })));
    return targets(found.find((piece) => piece.symbols[0]?.name === 'call')!);
  };

  test('a function that was local and is called from the other now', async () => {
    expect(await called(owner('local', 0xc3), owner('global', 0xc3))).toEqual([[1, 'klp vmlinux.h,0', -4]]);
    expect(await called(owner('local', 0xc3), owner('global', 0xcc))).toEqual([[1, 'new h', -4]]);
  });

  test('a changed function of the other is called directly', async () => {
    expect(await called(owner('global', 0xc3), owner('global', 0xcc))).toEqual([[1, 'new h', -4]]);
  });
});

describe('what is replaced', () => {
  const weak: Lines = {
    '.text.f': { flags: 'x', bytes: [0x90, 0xc3], symbols: [{ name: 'f' }, { name: 'arch_f', bind: 'weak' }] },
  };
  const patched = { '.text.f': { ...weak['.text.f'], bytes: [0xcc, 0xc3] } };

  test('is named by what still means it after linking', async () => {
    const shipped: Lines = {
      '.text': {
        flags: 'x',
        bytes: [0x90, 0xc3, 0xc3, 0xc3],
        symbols: [
          { name: 'f', size: 2 },
          { name: 'arch_f', at: 2, size: 1, bind: 'global' },
          { name: 'f', at: 3 },
        ],
      },
    };
    const { replaced } = await pieces([weak, patched], { shipped });
    expect(replaced.map((each) => [each.verdict.name, replacedPosition(each)])).toEqual([['f', 1]]);
  });

  test('is refused when no symbol is where the proved code is, or its position changes while the module loads', async () => {
    const elsewhere = await pieces([weak, patched], {
      shipped: { '.text': { flags: 'x', bytes: [0xcc], symbols: [{ name: 'f' }] } },
    });
    expect(() => replacedPosition(elsewhere.replaced[0]!)).toThrow(
      /no symbol of that name is where the proved code is/,
    );
    const shipped = { '.init.text': { flags: 'x', bytes: [0xc3], symbols: [{ name: 'f' }] }, ...weak };
    const moving = await pieces([weak, patched], { module: 'ext4', shipped });
    expect(() => replacedPosition(moving.replaced[0]!)).toThrow(/several symbols f/);
  });
});

describe('what new code may not refer to', () => {
  test('new code that is freed after start-up', async () => {
    const [original, patched] = pair([0xe8, ...zeros(4)], {}, { relocations: [[1, PLT32, 'elsewhere', -4]] });
    const init = { '.init.text': { flags: 'x', bytes: [0xc3], symbols: [{ name: 'start' }] } };
    const calling = {
      ...patched,
      ...init,
      '.text.f': { ...patched['.text.f'], relocations: [[1, PLT32, '.init.text', -4]] as const },
    };
    expect(await codes([original, calling], { exports: [['elsewhere', 'vmlinux']] })).toContain('refers-to-init');
  });

  test('an address among variables that moved', async () => {
    const section = (names: readonly string[]): SectionLines => ({
      flags: 'w',
      bytes: names.flatMap(() => [1, 0, 0, 0]),
      symbols: names.map((name, i) => ({ name, at: 4 * i, size: 4, kind: 'object' as const })),
    });
    const code = [0x48, 0xc7, 0xc7, ...zeros(4)];
    const one = (names: readonly string[], at: number) =>
      pair(code, { '.data..read_mostly': section(names) }, { relocations: [[3, ABS32S, '.data..read_mostly', at]] });
    expect(await codes([one(['a', 'b'], 4)[0], one(['a', 'b'], 4)[1]])).toEqual([]);
    expect(await codes([one(['a', 'b'], 4)[0], one(['a', 'new', 'b'], 8)[1]])).toEqual(['doubtful-reference']);
    expect(await codes([one(['a', 'b'], 4)[0], one(['a', 'b', 'new'], 8)[1]])).toEqual(['doubtful-reference']);
  });

  test('a definition that the kernel has elsewhere already', async () => {
    const [original, patched] = pair([]);
    const added = {
      ...patched,
      '.text.h': { flags: 'x', bytes: [0xc3], symbols: [{ name: 'h', bind: 'global' as const }] },
    };
    const shipped = { ...original, '.text': added['.text.h'] };
    expect(await codes([original, added])).toEqual([]);
    expect(await codes([original, added], { shipped })).toEqual(['definition-added']);
  });
});

describe('tables', () => {
  const alternative = (replacement: readonly number[], relocations: SectionLines['relocations'] = []): Lines => ({
    '.altinstr_replacement': { flags: 'x', bytes: replacement, relocations },
    '.altinstructions': {
      bytes: [...zeros(10), 5, replacement.length],
      relocations: [
        [0, PC32, '.text.f', 0],
        [4, PC32, '.altinstr_replacement', 0],
      ],
    },
  });
  const inModule: Surroundings = { module: 'ext4' };
  const inModuleWithHelper = ([original]: [Lines, Lines]): Surroundings => ({
    module: 'ext4',
    shipped: { ...original, '.text': { flags: 'x', bytes: [0xc3], symbols: [{ name: 'helper', bind: 'global' }] } },
  });

  test('an alternative comes along with its replacement', async () => {
    const { pieces: found } = await pieces(pair(nops(5), alternative([0x0f, 0x01, 0xca])), inModule);
    expect(found.map((piece) => piece.section)).toEqual(['.text', '.altinstr_replacement', '.altinstructions']);
    expect(targets(found[2]!)).toEqual([
      [0, 'new f', 0],
      [4, 'new .altinstr_replacement', 0],
    ]);
  });

  test('a replacement that refers to a module is refused: it is copied before the module is known', async () => {
    const both = pair(nops(5), alternative([0xe8, ...zeros(4)], [[1, PLT32, 'helper', -4]]));
    expect(await codes(both, inModuleWithHelper(both))).toEqual(['late-symbol-in-table']);
    expect(await codes(both, { module: 'ext4', exports: [['helper', 'vmlinux']] })).toEqual([]);
  });

  test('an original that refers to a module is refused: the field is overwritten by then', async () => {
    const both = pair([0xe8, ...zeros(4)], alternative([0x90]), { relocations: [[1, PLT32, 'helper', -4]] });
    expect(await codes(both, inModuleWithHelper(both))).toEqual(['late-symbol-in-table']);
  });

  test('a branch from out-of-line code back into the function goes to the new one', async () => {
    const both = pair(
      [0xe9, ...zeros(4)],
      { '.altinstr_aux': { flags: 'x', bytes: [0xe9, ...zeros(4)], relocations: [[1, PC32, '.text.f', 1]] } },
      {
        relocations: [[1, PC32, '.altinstr_aux', -4]],
      },
    );
    const { pieces: found } = await pieces(both);
    expect(targets(found[1]!)).toEqual([[1, 'new f', 1]]);
  });

  test('a table that is not known and points into new code is refused', async () => {
    const table = { '.runtime_ptrs': { bytes: zeros(4), relocations: [[0, PC32, '.text.f', 3]] as const } };
    expect(await codes(pair(nops(5), table))).toEqual(['unknown-table']);
  });

  test('the key of a jump label that lies in a module cannot be used', async () => {
    const both = pair(nops(5), {
      __jump_table: {
        bytes: zeros(16),
        relocations: [
          [0, PC32, '.text.f', 0],
          [4, PC32, '.text.f', 5],
          [8, 24, 'key', 0],
        ],
      },
    });
    const data = {
      flags: 'w',
      bytes: zeros(16),
      symbols: [{ name: 'key', kind: 'object' as const, bind: 'global' as const }],
    };
    expect(await codes(both, { module: 'ext4', shipped: { ...both[0], '.data': data } })).toEqual([
      'static-key-in-module',
    ]);
    expect(await codes(both, { module: 'ext4', exports: [['key', 'vmlinux']] })).toEqual([]);
  });

  test('descriptors of pr_debug() come along, in a row, with their own keys', async () => {
    const descriptor = (format: string): Lines => ({
      __dyndbg: {
        flags: 'w',
        align: 8,
        bytes: zeros(56),
        symbols: [{ name: '__UNIQUE_ID_ddebug1.2', kind: 'object' }],
        relocations: [[24, ABS64, '.rodata.str1.1', 0]],
      },
      '.rodata.str1.1': { flags: 'ms', entsize: 1, bytes: text(format) },
      __jump_table: {
        bytes: zeros(16),
        relocations: [
          [0, PC32, '.text.f', 0],
          [4, PC32, '.text.f', 5],
          [8, 24, '__dyndbg', 40],
        ],
      },
    });
    const code = nops(5);
    const { pieces: found, data } = await pieces(
      [pair(code, descriptor('old'))[0], pair(code, descriptor('new'))[1]],
      inModule,
    );
    expect(found.map((piece) => piece.section)).toEqual(['.text', '__dyndbg', '.rodata.str1.1', '__jump_table']);
    expect(targets(found[3]!)[2]).toEqual([8, 'new __UNIQUE_ID_ddebug1.2', 40]);
    expect(found[1]!.align).toBe(8);
    expect(data).toEqual([]);
  });
});

test('equal strings become one, in any order of discovery', async () => {
  const relocations = [
    [3, ABS32S, '.rodata.str1.1', 0],
    [10, ABS32S, '.rodata.f.str1.1', 0],
  ] as const;
  const strings = {
    '.rodata.str1.1': { flags: 'ms', entsize: 1, bytes: text('same') },
    '.rodata.f.str1.1': { flags: 'ms', entsize: 1, bytes: text('same') },
  };
  const { pieces: found } = await pieces(
    pair([0x48, 0xc7, 0xc7, ...zeros(4), 0x48, 0xc7, 0xc7, ...zeros(4)], strings, { relocations }),
  );
  expect(found.map((piece) => piece.section)).toEqual(['.text', '.rodata.str1.1']);
});

test('the code of a call is taken without what its field held', async () => {
  const { pieces: found, replaced } = await pieces(
    pair(callAndReturn.slice(0, 5), {}, { relocations: [[1, PLT32, 'printk', -4]] }),
    { exports: [['printk', 'vmlinux']] },
  );
  expect(targets(found[0]!)).toEqual([[1, 'export printk', -4]]);
  expect(replaced.map((each) => each.verdict.name)).toEqual(['f']);
});
