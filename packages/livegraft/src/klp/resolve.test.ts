import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import type { SectionLines } from '../objdiff/testing/object.ts';
import { resolveOutside, resolveOwn } from './resolve.ts';
import { spaceOf } from './testing.ts';

const user = { unit: 'unit.c', function: 'f' };

/** One byte of code for each name; `+`: global. */
function code(...names: readonly string[]): SectionLines {
  return {
    flags: 'x',
    bytes: names.map(() => 0xc3),
    symbols: names.map((name, at) => ({
      name: name.replace('+', ''),
      at,
      size: 1,
      bind: name.endsWith('+') ? ('global' as const) : ('local' as const),
    })),
  };
}

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
    return 'done';
  } catch (error) {
    if (!(error instanceof LivegraftError)) throw error;
    return error.code;
  }
}

describe('resolveOwn', () => {
  const space = spaceOf({ '.text': code('f', 'g', 'f', 'h+') }, { exports: [['h', 'vmlinux']] });
  const [first, second] = space.own.named('f');

  test('the only one of its name has position 0, one of several its rank in the order of the symbol table', () => {
    expect(resolveOwn(space, user, 'g', undefined, false)).toMatchObject({
      name: 'g',
      position: 0,
      applyWith: 'vmlinux',
    });
    expect(resolveOwn(space, user, 'f', first!.address, false)).toMatchObject({ position: 1 });
    expect(resolveOwn(space, user, 'f', second!.address, false)).toMatchObject({ position: 2 });
  });

  test('several of one name and no address, or none at that address, is refused', async () => {
    expect(await codeOf(() => resolveOwn(space, user, 'f', undefined, false))).toBe('symbol-unresolved');
    expect(await codeOf(() => resolveOwn(space, user, 'f', first!.address + 1n, false))).toBe('symbol-unresolved');
    expect(await codeOf(() => resolveOwn(space, user, 'x', undefined, false))).toBe('symbol-unresolved');
  });

  test('the only one of its name at another place than the unit’s is another unit’s', async () => {
    expect(await codeOf(() => resolveOwn(space, user, 'g', first!.address, false))).toBe('symbol-unresolved');
  });

  test('what vmlinux exports is taken by an ordinary reference, which has a CRC', () => {
    expect(resolveOwn(space, user, 'h', undefined, true)).toEqual({ kind: 'export', name: 'h' });
    expect(resolveOwn(space, user, 'h', undefined, false)).toMatchObject({ kind: 'klp', name: 'h' });
  });
});

describe('resolveOutside', () => {
  const vmlinux = { '.text': code('shared+', 'local', 'hidden+', 'spaced+', '__init_begin', 'start+', '__init_end') };
  const space = spaceOf(
    { '.text': code('own+', 'shared+') },
    {
      module: 'ext4',
      vmlinux,
      exports: [
        ['shared', 'vmlinux'],
        ['spaced', 'vmlinux', 'SECRET'],
        ['journal', 'fs/jbd2/jbd2'],
        ['other', 'fs/xfs/xfs'],
        ['gone', 'fs/gone/gone-fs'],
      ],
      others: { jbd2: { '.text': code('journal+') }, xfs: { '.text': code('other+') } },
      dependencies: ['jbd2', 'gone_fs'],
    },
  );

  test.each([
    [
      'the module’s own first, though vmlinux exports that name too',
      'shared',
      { kind: 'klp', object: 'ext4', applyWith: 'ext4' },
    ],
    ['what vmlinux has but does not export', 'hidden', { kind: 'klp', object: 'vmlinux', applyWith: 'vmlinux' }],
    ['what is exported into a namespace', 'spaced', { kind: 'klp', object: 'vmlinux', applyWith: 'vmlinux' }],
    [
      'what a module exports that is loaded too',
      'journal',
      { kind: 'klp', object: 'jbd2', applyWith: 'ext4', position: 0 },
    ],
  ])('%s', async (_, name, target) => {
    expect(await resolveOutside(space, user, name)).toMatchObject(target);
  });

  test('an ordinary reference to what vmlinux exports', async () => {
    const exported = spaceOf({ '.text': code('own+') }, { module: 'ext4', vmlinux, exports: [['shared', 'vmlinux']] });
    expect(await resolveOutside(exported, user, 'shared')).toEqual({ kind: 'export', name: 'shared' });
  });

  test.each([
    ['a local symbol of another unit', 'local', 'symbol-unresolved'],
    ['nothing of that name', 'nothing', 'symbol-unresolved'],
    ['a module that need not be loaded', 'other', 'symbol-out-of-reach'],
    ['a module that was not shipped', 'gone', 'symbol-unresolved'],
    ['what is freed after start-up', 'start', 'refers-to-init'],
  ])('%s is refused', async (_, name, code) => {
    expect(await codeOf(() => resolveOutside(space, user, name))).toBe(code);
  });

  test('vmlinux itself cannot use what a module exports', async () => {
    const builtIn = spaceOf({ '.text': code('own+') }, { exports: [['journal', 'fs/jbd2/jbd2']] });
    expect(await codeOf(() => resolveOutside(builtIn, user, 'journal'))).toBe('symbol-out-of-reach');
  });

  test('a name whose position is another one while the module loads is refused', async () => {
    const shipped = { '.init.text': code('twice'), '.text': code('twice', 'own+') };
    const moving = spaceOf(shipped, { module: 'ext4', shipped });
    const { address } = moving.own.named('twice')[0]!;
    expect(moving.own.named('twice')).toHaveLength(1);
    expect(await codeOf(() => resolveOwn(moving, user, 'twice', address, false))).toBe('position-unstable');
  });
});
