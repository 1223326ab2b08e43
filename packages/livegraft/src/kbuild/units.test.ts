import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { parseCommand } from './command.ts';
import { readDependencies } from './compile.ts';
import { errorLines } from './make.ts';
import { openObjectCache } from './object-cache.ts';
import { inPool } from './pool.ts';
import { climbingFolders, makePatchedTree, moveArguments } from './tree.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'livegraft-units-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('parseCommand', () => {
  test('output, input and dependency file are taken out', () => {
    const line =
      'gcc-12 -Wp,-MMD,fs/.x.o.d -I./include -O2 -c -o fs/x.o /src/fs/x.c ; ./tools/objtool/objtool --orc --module fs/x.o';
    expect(parseCommand('fs/x.c', line, 'fs/x.o', '/src/fs/x.c')).toEqual({
      compile: ['gcc-12', '-I./include', '-O2'],
      post: [['./tools/objtool/objtool', '--orc', '--module']],
    });
  });

  test.each(['', 'gcc -c -o fs/y.o /src/fs/x.c', 'gcc -c -o fs/x.o /src/fs/x.c; strip other.o', 'gcc | tee x'])(
    'refuses %j',
    (line) => {
      try {
        parseCommand('fs/x.c', line, 'fs/x.o', '/src/fs/x.c');
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(LivegraftError);
        expect((error as LivegraftError).code).toBe('command-not-understood');
      }
    },
  );
});

describe('moveArguments', () => {
  test('arguments that name the source, and no others', () => {
    const words = [
      '-I/src/include',
      '-I',
      '/src/fs',
      '-include',
      '/src/a.h',
      '-fmacro-prefix-map=/src/=',
      '/src',
      '-I/src2/x',
      '-DA="/srcs"',
      '-I./include',
      '-DX=/other/src/y',
    ];
    expect(moveArguments(words, '/src', '/new')).toEqual([
      '-I/new/include',
      '-I',
      '/new/fs',
      '-include',
      '/new/a.h',
      '-fmacro-prefix-map=/new/=',
      '/new',
      '-I/src2/x',
      '-DA="/srcs"',
      '-I./include',
      '-DX=/other/src/y',
    ]);
  });
});

describe('makePatchedTree', () => {
  test('patched files are real, their neighbours and everything else are those of the source', async () => {
    const source = join(root, 'src');
    mkdirSync(join(source, 'fs/ext4'), { recursive: true });
    mkdirSync(join(source, 'mm'));
    for (const [path, text] of Object.entries({
      'fs/ext4/a.c': 'old',
      'fs/ext4/a.h': 'h',
      'fs/b.h': 'b',
      'mm/m.c': 'm',
    })) {
      writeFileSync(join(source, path), text);
    }
    const tree = join(root, 'tree');
    mkdirSync(tree);
    await makePatchedTree(
      source,
      tree,
      new Map([
        ['fs/ext4/a.c', 'n\xe9w'],
        ['fs/new/n.h', 'new'],
      ]),
      ['mm'],
    );
    expect(readFileSync(join(tree, 'fs/new/n.h'), 'utf8')).toBe('new');
    // a folder that is real leads upwards to patched files
    expect(readFileSync(join(tree, 'mm/../fs/ext4/a.c'), 'latin1')).toBe('n\xe9w');
    expect(readFileSync(join(tree, 'fs/ext4/a.c'), 'latin1')).toBe('n\xe9w');
    expect(readFileSync(join(tree, 'fs/ext4/../b.h'), 'utf8')).toBe('b');
    expect(readFileSync(join(tree, 'fs/ext4/a.h'), 'utf8')).toBe('h');
    expect(readFileSync(join(tree, 'mm/m.c'), 'utf8')).toBe('m');
    expect(readFileSync(join(source, 'fs/ext4/a.c'), 'utf8')).toBe('old');
  });
});

describe('climbingFolders', () => {
  test('of the source as it is spelled and of include paths', () => {
    const compile = ['gcc', '-I/src/drivers/a/../b', '-I', '/src/fs/./x', '-DX=/src/net/y/../z', '-I./fs/../q'];
    const unit = { source: 'virt/k.c', spelled: 'arch/x86/kvm/../../../virt/k.c', command: { compile, post: [] } };
    expect(climbingFolders(unit, '/src')).toEqual(['arch/x86/kvm', 'drivers/a', 'net/y']);
  });
});

describe('inPool', () => {
  test('results in order', async () => {
    const work = (n: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(2 * n), 6 - n));
    expect(await inPool([1, 2, 3, 4, 5], work)).toEqual([2, 4, 6, 8, 10]);
    expect(await inPool([], work)).toEqual([]);
  });

  test('the first failure ends the others, and nothing is begun after it', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = async (n: number, signal: AbortSignal): Promise<void> => {
      begun.push(n);
      if (n === 1) throw new Error('one');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      ended.push(n);
    };
    await expect(
      inPool(
        Array.from({ length: 100 }, (_, i) => i),
        work,
      ),
    ).rejects.toThrow('one');
    expect(begun.length).toBeLessThan(100);
    expect(ended).toEqual(begun.filter((n) => n !== 1));
  });
});

describe('readDependencies', () => {
  test('make’s escaping', () => {
    expect(readDependencies('x.o: /a/x.c \\\n ./b\\ c.h \\\n  d\\#e.h f$$g.h\n\n/a/x.c:\n')).toEqual([
      '/a/x.c',
      './b c.h',
      'd#e.h',
      'f$g.h',
    ]);
  });
});

describe('errorLines', () => {
  test('the compiler’s errors, without make’s epilogue', () => {
    const output =
      "fs/x.c: In function 'f':\nfs/x.c:1:2: error: no\n  1 | x\nmake[3]: *** [x] Error 1\nmake: *** [y] Error 2\n";
    expect(errorLines(output)).toBe('fs/x.c:1:2: error: no');
    expect(errorLines('make: *** something odd\n')).toBe('make: *** something odd');
  });
});

describe('openObjectCache', () => {
  test('an object is found while all files are as they were, also when they changed back; never a damaged one', async () => {
    const cache = openObjectCache(join(root, 'objects'), (name) => join(root, name));
    const key = 'ab'.repeat(32);
    writeFileSync(join(root, 'a.h'), 'one');
    expect(await cache.find(key)).toBeUndefined();
    await cache.keep(key, ['a.h'], bytes('object one'));
    expect(await cache.find(key)).toEqual(bytes('object one'));
    writeFileSync(join(root, 'a.h'), 'second');
    expect(await cache.find(key)).toBeUndefined();
    await cache.keep(key, ['a.h'], bytes('object two'));
    writeFileSync(join(root, 'a.h'), 'one');
    expect(await cache.find(key)).toEqual(bytes('object one'));
    rmSync(join(root, 'a.h'));
    expect(await cache.find(key)).toBeUndefined();
    writeFileSync(join(root, 'a.h'), 'one');
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha256').update('object one').digest('hex');
    writeFileSync(join(root, 'objects', hash.slice(0, 2), `${hash}.o`), 'damaged');
    expect(await cache.find(key)).toBeUndefined();
    writeFileSync(join(root, 'objects', 'ab', `${key}.json`), '{"schema":1');
    expect(await cache.find(key)).toBeUndefined();
  });
});

const bytes = (text: string): Buffer => Buffer.from(text);
