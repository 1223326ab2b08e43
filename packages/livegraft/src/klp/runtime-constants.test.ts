import { describe, expect, test } from 'vitest';
import { iced } from '../support/iced.ts';
import { loadInstead, runtimePointer } from './runtime-constants.ts';

const placeholder = [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01];

function listing(code: Uint8Array): string[] {
  const { Decoder, DecoderOptions, Formatter, FormatterSyntax } = iced();
  const decoder = new Decoder(64, code, DecoderOptions.None);
  const formatter = new Formatter(FormatterSyntax.Gas);
  const lines: string[] = [];
  while (decoder.canDecode) lines.push(formatter.format(decoder.decode()));
  return lines;
}

describe('loadInstead', () => {
  test.each([
    [0x48, 0xb8, 'rax'],
    [0x48, 0xbf, 'rdi'],
    [0x48, 0xbc, 'rsp'],
    [0x48, 0xbd, 'rbp'],
    [0x49, 0xb8, 'r8'],
    [0x49, 0xbf, 'r15'],
  ])('%i %i: %s is loaded, in as many bytes', (rex, opcode, register) => {
    const code = Uint8Array.from([0x90, rex, opcode, ...placeholder, 0xc3]);
    expect(listing(code)[1]).toBe(`movabs $0x123456789ABCDEF,%${register}`);
    expect(loadInstead(code, 3)).toBe(4);
    expect(listing(code)).toEqual(['nop', `mov 8,%${register}`, 'nopl (%rax)', 'ret']);
  });

  test('near misses stay as they are: another number, another instruction, 32 bits', () => {
    for (const bytes of [
      [0x48, 0xb8, ...placeholder.slice(1), 0],
      [0x48, 0xc7, ...placeholder],
      [0x90, 0xb8, ...placeholder],
    ]) {
      const code = Uint8Array.from(bytes);
      expect(loadInstead(code, 2)).toBeUndefined();
      expect([...code]).toEqual(bytes);
    }
  });
});

test('the table names the variable', () => {
  expect(runtimePointer('runtime_ptr_USER_PTR_MAX')).toBe('USER_PTR_MAX');
  expect(runtimePointer('runtime_shift_d_hash_shift')).toBeUndefined();
});
