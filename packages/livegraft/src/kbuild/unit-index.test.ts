import { describe, expect, test } from 'vitest';
import { pack, sourceOf, unitOf, unpack } from './unit-index.ts';
import { parseList } from './unit-list.ts';

const tabs = (...fields: string[]): string => fields.join('\t');
const cc = (object: string, input: string, more = ''): string =>
  `gcc-12 -Wp,-MMD,x.d -I/src/include -include /src/include/linux/kconfig.h ${more} -c -o ${object} ${input} ; ./objtool --orc ${object}`;
const list = [
  [
    tabs('object', 'fs/a.o', 'y'),
    tabs('object', 'fs/b.o', 'm'),
    tabs('object', 'fs/../virt/k.o', 'm'),
    tabs('object', 'fs/gen.o', 'm'),
    tabs('object', 'fs/odd.o', 'y'),
    tabs('object', 'fs/linked.o', 'y'),
    tabs('host', 'lib/gen.c'),
    tabs('c', 'fs/a.o', '/src/fs/a.c', 'a', cc('fs/a.o', '/src/fs/a.c', `-DKBUILD_MODNAME='"a"'`)),
    tabs('c', 'fs/b.o', '/src/fs/b.c', 'b:c', cc('fs/b.o', '/src/fs/b.c', `-DMODULE -DKBUILD_MODNAME='"b:c"'`)),
  ].join('\n'),
  [
    tabs(
      'c',
      'fs/../virt/k.o',
      '/src/fs/../virt/k.c',
      'kvm',
      cc('fs/../virt/k.o', '/src/fs/../virt/k.c', `-DMODULE -DKBUILD_MODNAME='"kvm-x"'`),
    ),
    tabs('c', 'fs/gen.o', 'fs/gen.c', 'gen', cc('fs/gen.o', 'fs/gen.c')),
    tabs('c', 'fs/odd.o', '/src/fs/odd.c', 'odd', 'gcc-12 -c -o fs/odd.o /src/fs/odd.c | tee x'),
    tabs('c', 'vdso/v.o', '/src/vdso/v.c', 'v', cc('vdso/v.o', '/src/vdso/v.c')),
    tabs('assembly', 'fs/s.o', '/src/fs/s.S', 's', cc('fs/s.o', '/src/fs/s.S')),
    tabs('offsets', 'fs/o.s', '/src/fs/o.c', 'o', 'gcc-12 -O2 -fverbose-asm -S -o fs/o.s /src/fs/o.c'),
    tabs('script', 'fs/l.lds', '/src/fs/l.lds.S', 'l', 'gcc-12 -E -Dx -P -Ux86 -o fs/l.lds /src/fs/l.lds.S'),
    '',
  ].join('\n'),
];

describe('the list of units', () => {
  const stored = pack(parseList(list), '/src');
  const index = unpack(JSON.parse(JSON.stringify(stored)));

  test('sources, as they are and as they are spelled', () => {
    expect(index.units.map(({ source, spelled, generated, linked }) => [source, spelled, generated, linked])).toEqual([
      ['fs/a.c', 'fs/a.c', false, true],
      ['fs/b.c', 'fs/b.c', false, true],
      ['virt/k.c', 'fs/../virt/k.c', false, true],
      ['fs/gen.c', 'fs/gen.c', true, true],
      ['vdso/v.c', 'vdso/v.c', false, false],
    ]);
    expect(index.host).toEqual(['lib/gen.c']);
  });

  test('a command that is not understood, or not told, is unknown', () => {
    expect(index.unknown).toEqual(['fs/odd', 'fs/linked']);
  });

  test('commands are those that are replayed', () => {
    expect(unitOf(index.units[0]!)).toEqual({
      source: 'fs/a.c',
      klpObject: 'vmlinux',
      command: {
        compile: ['gcc-12', '-I/src/include', '-include', '/src/include/linux/kconfig.h', '-DKBUILD_MODNAME="a"'],
        post: [['./objtool', '--orc']],
      },
    });
    expect(unitOf(index.units[2]!)).toMatchObject({ klpObject: 'kvm_x', spelled: 'fs/../virt/k.c' });
    expect(sourceOf(index.units[3]!)).toMatchObject({ source: 'fs/gen.c', generated: true });
    expect(index.texts.map((text) => [text.kind, text.source, text.commandOf().compile.slice(1).join(' ')])).toEqual([
      ['assembly', 'fs/s.S', '-I/src/include -include /src/include/linux/kconfig.h'],
      ['offsets', 'fs/o.c', '-O2'],
      ['script', 'fs/l.lds.S', '-Dx -Ux86'],
    ]);
  });

  test('a unit of several modules is refused once it matters', () => {
    expect(() => unitOf(index.units[1]!)).toThrow('is linked into several modules (b, c)');
  });
});
