import { readElf, sectionNamed } from '@livegraft/binfmt/elf/read';
import { expect, test } from 'vitest';
import { objectBytes } from '../objdiff/testing/object.ts';
import { withoutFolders } from './source-paths.ts';

const strings = (texts: readonly string[]) => Buffer.from(texts.map((text) => `${text}\0`).join(''), 'latin1');
const literals = (object: Uint8Array): string =>
  Buffer.from(sectionNamed(readElf(object), '.rodata.str1.1')!.data).toString('latin1');
const object = (texts: readonly string[], flags = 'ms') =>
  objectBytes({ '.rodata.str1.1': { flags, entsize: 1, bytes: strings(texts) } });

test('a literal that begins with a folder loses it, and all others stay where they are', () => {
  const made = withoutFolders(object(['%d\n', '/cache/source/net/core/a.c', 'x', '/tmp/tree/include/b.h', 'last']), [
    '/tmp/tree',
    '/cache/source',
  ]);
  expect(literals(made)).toBe(
    `%d\n\0net/core/a.c\0${'\0'.repeat('/cache/source/'.length)}x\0include/b.h\0${'\0'.repeat('/tmp/tree/'.length)}last\0`,
  );
});

test('near misses: a folder in the middle, a longer name, data that is no literal', () => {
  const texts = ['in /cache/source/a.c', '/cache/source-6.1/a.c'];
  expect(literals(withoutFolders(object(texts), ['/cache/source']))).toBe(`${texts.join('\0')}\0`);
  const data = object(['/cache/source/a.c'], 'w');
  expect(Buffer.compare(withoutFolders(data, ['/cache/source']), data)).toBe(0);
});
