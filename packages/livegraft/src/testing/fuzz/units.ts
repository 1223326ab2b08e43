/** The units that fuzzing starts from: one with something of every section, one as without -ffunction-sections. */
import {
  ABS32S,
  ABS64,
  callAndReturn,
  PC32,
  PLT32,
  type SectionLines,
  text,
  u32,
} from '../../objdiff/testing/object.ts';

export type Lines = Readonly<Record<string, SectionLines>>;

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);

/** A unit with something of everything: functions, data, literals, clones, and an entry or two in every table. */
export function unit({
  constant = 7,
  line = 40,
  extra = false,
}: {
  constant?: number;
  line?: number;
  extra?: boolean;
}): Lines {
  const text_ = (name: string, body: readonly number[], relocations: SectionLines['relocations'] = []): Lines => ({
    [`.text.${name}`]: {
      flags: 'x',
      align: 16,
      bytes: body,
      symbols: [{ name, bind: name === 'main' ? 'global' : 'local' }],
      relocations,
    },
  });
  // mov $"file.c",%rdi; mov $line,%esi; call warn; lea table(%rip),%rax; mov count.1(%rip),%edx; ud2; ret
  const body = [
    0x48,
    0xc7,
    0xc7,
    0,
    0,
    0,
    0,
    0xbe,
    ...u32(line),
    0xe8,
    0,
    0,
    0,
    0,
    0x48,
    0x8d,
    0x05,
    0,
    0,
    0,
    0,
    0x8b,
    0x15,
    0,
    0,
    0,
    0,
    0x0f,
    0x0b,
    0xc3,
  ];
  return {
    ...text_(
      'main',
      [0xe8, 0, 0, 0, 0, ...body],
      [
        [1, PLT32, '__fentry__', -4],
        [8, ABS32S, '.rodata.str1.1', 0],
        [18, PLT32, 'warn', -4],
        [25, PC32, '.rodata.table', 4 - 4],
        [31, PC32, '.bss.count.1', -4],
      ],
    ),
    ...text_(
      'helper.isra.0',
      [0xe8, 0, 0, 0, 0, 0xb8, ...u32(constant), 0xe8, 0, 0, 0, 0, 0xc3],
      [
        [1, PLT32, '__fentry__', -4],
        [11, PLT32, 'main', -4],
      ],
    ),
    ...text_(
      'jumps',
      [0xff, 0x24, 0xc5, 0, 0, 0, 0, ...callAndReturn, 0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3],
      [
        [3, ABS32S, '.rodata.jumps', 0],
        [8, PLT32, 'helper.isra.0', -4],
        [16, PC32, '.data.state', -4],
      ],
    ),
    '.text.unlikely': {
      flags: 'x',
      bytes: [0x0f, 0x0b, 0xe9, 0, 0, 0, 0],
      symbols: [{ name: 'main.cold' }],
      relocations: [[3, PLT32, '.text.main', 10]],
    },
    // no sections of their own, and branches between them without relocations
    '.noinstr.text': {
      flags: 'x',
      bytes: [0x90, 0xc3, 0xe8, ...u32(-7), 0xc3],
      symbols: [
        { name: 'n1', size: 2 },
        { name: 'n2', at: 2 },
      ],
    },
    '.init.text': {
      flags: 'x',
      bytes: callAndReturn,
      symbols: [{ name: 'start' }],
      relocations: [[1, PLT32, 'register', -4]],
    },
    ...(extra ? text_('added', [...callAndReturn], [[1, PLT32, 'jumps', -4]]) : {}),
    '.rodata.jumps': {
      align: 8,
      bytes: zeros(16),
      relocations: [
        [0, ABS64, '.text.jumps', 7],
        [8, ABS64, '.text.jumps', 12],
      ],
    },
    '.rodata.table': { align: 4, bytes: [1, 0, 0, 0, 2, 0, 0, 0], symbols: [{ name: 'table', kind: 'object' }] },
    '.rodata.str1.1': { flags: 'ms', entsize: 1, bytes: [...text('fs/file.c'), ...text('count %d'), ...text('')] },
    '.rodata.cst8': { flags: 'm', entsize: 8, align: 8, bytes: zeros(16) },
    '.rodata': {
      bytes: zeros(24),
      relocations: [
        [0, ABS64, '.rodata.str1.1', 10],
        [8, ABS64, '.rodata.cst8', 8],
      ],
    },
    '.data.state': {
      flags: 'w',
      align: 8,
      bytes: zeros(24),
      symbols: [
        { name: 'state', kind: 'object', size: 8 },
        { name: 'ops', kind: 'object', at: 8 },
      ],
      relocations: [
        [8, ABS64, 'main', 0],
        [16, ABS64, '.text.jumps', 0],
      ],
    },
    '.bss.count.1': { flags: 'w', align: 4, size: 4, symbols: [{ name: 'count.1', kind: 'object' }] },
    '.data.Lubsan_data1': {
      flags: 'w',
      bytes: [...zeros(8), ...u32(line), ...u32(3), ...zeros(8)],
      relocations: [[0, ABS64, '.rodata.str1.1', 0]],
    },
    __dyndbg: {
      flags: 'w',
      align: 8,
      bytes: zeros(56),
      symbols: [{ name: 'descriptor.0', kind: 'object' }],
      relocations: [
        [0, ABS64, '.rodata.str1.1', 0],
        [8, ABS64, '.rodata.str1.1', 10],
      ],
    },
    __bug_table: {
      flags: 'w',
      bytes: [...zeros(8), line, 0, 1, 0, ...zeros(8), line + 1, 0, 2, 0],
      relocations: [
        [0, PC32, '.text.main', 33],
        [4, PC32, '.rodata.str1.1', 0],
        [12, PC32, '.text.unlikely', 0],
        [16, PC32, '.rodata.str1.1', 0],
      ],
    },
    __ex_table: {
      bytes: zeros(12),
      relocations: [
        [0, PC32, '.text.jumps', 1],
        [4, PC32, '.fixup', 0],
      ],
    },
    '.fixup': {
      flags: 'x',
      bytes: [0xb8, 1, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0x0f, 0x0b],
      relocations: [[6, PC32, '.text.jumps', 1]],
    },
    __jump_table: {
      flags: 'w',
      align: 8,
      bytes: zeros(16),
      relocations: [
        [0, PC32, '.text.main', 5],
        [4, PC32, '.text.main', 12],
        [8, 24, 'a_key', 0],
      ],
    },
    '.altinstructions': {
      bytes: [...zeros(10), 5, 3, ...zeros(10), 5, 0],
      relocations: [
        [0, PC32, '.text.main', 5],
        [4, PC32, '.altinstr_replacement', 0],
        [12, PC32, '.text.jumps', 0],
        [16, PC32, '.altinstr_replacement', 3],
      ],
    },
    '.altinstr_replacement': {
      flags: 'x',
      bytes: [0x0f, 0x1f, 0x00, 0xe9, 0, 0, 0, 0],
      relocations: [[4, PLT32, 'elsewhere', -4]],
    },
    '.static_call_sites': {
      flags: 'w',
      bytes: zeros(8),
      relocations: [
        [0, PC32, '.text.main', 17],
        [4, PC32, '__SCK__call', 0],
      ],
    },
    '.parainstructions': { align: 8, bytes: [...zeros(8), 1, 5, 0, 0], relocations: [[0, ABS64, '.text.jumps', 7]] },
    '.smp_locks': { bytes: zeros(4), relocations: [[0, PC32, '.text.jumps', 0]] },
    '.return_sites': { bytes: zeros(4), relocations: [[0, PC32, '.text.jumps', 19]] },
    __mcount_loc: {
      flags: 'w',
      align: 8,
      bytes: zeros(16),
      relocations: [
        [0, ABS64, '.text.main', 0],
        [8, ABS64, '.text.helper.isra.0', 0],
      ],
    },
    '.orc_unwind_ip': {
      bytes: zeros(8),
      relocations: [
        [0, PC32, '.text.main', 0],
        [4, PC32, '.text.jumps', 0],
      ],
    },
    '.orc_unwind': { bytes: [8, 0, 0, 0, 5, 0, 8, 0, 0, 0, 5, 0] },
    '___ksymtab+main': {
      bytes: zeros(8),
      relocations: [
        [0, PC32, 'main', 0],
        [4, PC32, '__ksymtab_strings', 0],
      ],
    },
    __ksymtab_strings: { flags: 'ms', entsize: 1, bytes: [...text('main'), ...text('')] },
    '.modinfo': {
      bytes: [
        ...text('name=unit'),
        ...text('depends=jbd2,crc16'),
        ...text('softdep=pre: a b post: c'),
        ...text('vermagic=6.1.0-55-amd64 SMP'),
      ],
    },
    '.note.gnu.build-id': { bytes: [...u32(4), ...u32(4), ...u32(3), ...text('GNU'), 1, 2, 3, 4] },
  };
}

/** A unit where things lie side by side in sections of their sort, as without -ffunction-sections. */
export const joined: Lines = {
  '.text': {
    flags: 'x',
    bytes: [...callAndReturn, 0xe9, ...u32(-11), 0xe8, 0, 0, 0, 0, 0x8b, 0x05, 0, 0, 0, 0, 0xc3, 0x66, 0x90],
    symbols: [
      { name: 'f', size: 6 },
      { name: 'g', at: 6, size: 5, bind: 'weak' },
      { name: 'h', at: 11, size: 12, bind: 'global' },
      { name: 'h_alias', at: 11, size: 12 },
    ],
    relocations: [
      [1, PLT32, 'outside', -4],
      [12, PLT32, '.text', 2],
      [18, PC32, '.data', 12 - 4],
    ],
  },
  '.data': {
    flags: 'w',
    bytes: zeros(32),
    symbols: [
      { name: 'a', kind: 'object', size: 8 },
      { name: 'b', kind: 'object', at: 8, size: 16 },
    ],
    relocations: [[16, ABS64, '.rodata.str1.8', 4]],
  },
  '.rodata.str1.8': { flags: 'ms', entsize: 1, bytes: [...text('abc'), ...text('net/x.c')] },
  '.bss': { flags: 'w', size: 64, symbols: [{ name: 'once', kind: 'object', size: 1 }] },
};
