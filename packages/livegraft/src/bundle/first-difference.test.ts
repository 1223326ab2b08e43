import { EM, ET, SHF, SHT, STB, STT } from '@livegraft/binfmt/elf/constants';
import { writeElf } from '@livegraft/binfmt/elf/write';
import { expect, test } from 'vitest';
import { firstDifference } from './first-difference.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('firstDifference finds none in equal files', () => {
  expect(firstDifference('x.json', bytes('{"a":1}'), bytes('{"a":1}'))).toBeUndefined();
});

test('firstDifference names the path in a JSON document', () => {
  const [one, other] = [{ a: [{ b: 1 }, { b: 2, c: 'x' }] }, { a: [{ b: 1 }, { b: 2 }] }];
  expect(firstDifference('x.json', bytes(JSON.stringify(one)), bytes(JSON.stringify(other)))).toEqual({
    where: 'a.1.c',
    left: '"x"',
    right: 'nothing',
  });
  // the same values, written in another way
  expect(firstDifference('x.json', bytes('{\n"a":1}'), bytes('{"a":1}'))).toMatchObject({ where: 'line 1' });
  expect(firstDifference('x.json', bytes('{'), bytes('{"a":1}'))).toMatchObject({ where: 'line 1' });
});

test('firstDifference names the line of a text', () => {
  expect(firstDifference('glue.c', bytes('a\nb\n'), bytes('a\nc\n'))).toEqual({
    where: 'line 2',
    left: '"b"',
    right: '"c"',
  });
  expect(firstDifference('glue.c', bytes('a\n'), bytes(''))).toEqual({ where: 'line 1', left: '"a"', right: '""' });
});

function module(code: readonly number[], section = '.text.one'): Uint8Array {
  const text = { name: section, type: SHT.PROGBITS, flags: SHF.ALLOC | SHF.EXECINSTR, addralign: 16 };
  const one = { name: 'one', value: 1, size: 3, binding: STB.GLOBAL, type: STT.FUNC, section: 1 };
  return writeElf({
    type: ET.REL,
    machine: EM.X86_64,
    sections: [{ ...text, data: Uint8Array.from(code) }],
    symbols: [one],
  });
}

test('firstDifference names section and function of a module', () => {
  expect(firstDifference('x.ko', module([0x90, 1, 2, 3]), module([0x90, 1, 7, 3]))).toEqual({
    where: '.text.one+0x2 (one+0x1)',
    left: '02 03',
    right: '07 03',
  });
  expect(firstDifference('x.ko', module([0x90, 1]), module([0x90, 1], '.text.two'))).toEqual({
    where: 'section 1',
    left: '.text.one',
    right: '.text.two',
  });
  expect(firstDifference('x.ko', module([0x90]), bytes('not an ELF'))).toMatchObject({ where: 'line 1' });
});
