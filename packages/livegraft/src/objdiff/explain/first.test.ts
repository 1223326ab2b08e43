import { expect, test } from 'vitest';
import { diffObjects } from '../diff.ts';
import { explainFunctions } from '../explain.ts';
import { object, PLT32, type SectionLines } from '../testing/object.ts';

function unit(hex: string, relocations: SectionLines['relocations'] = []): ReturnType<typeof object> {
  const bytes = [...Buffer.from(hex.replaceAll(' ', ''), 'hex')];
  return object({ '.text.f': { flags: 'x', bytes, symbols: [{ name: 'f', bind: 'global' }], relocations } });
}

/** What differs: offset and text of the marked instructions of both sides. */
function marked(
  before: ReturnType<typeof unit>,
  after: ReturnType<typeof unit>,
): { before: string[]; after: string[] } {
  const [f] = explainFunctions(diffObjects('u.o', before, after));
  const lines = (list: readonly { offset: number; text: string; differs?: true }[]): string[] =>
    list.filter((each) => each.differs === true).map((each) => `${each.offset} ${each.text}`);
  return { before: lines(f!.first!.original), after: lines(f!.first!.patched) };
}

// test %edi,%edi; je END; nop; [inc %eax]; END: ret
test('a branch across an added instruction is not the difference; the added instruction is', () => {
  expect(marked(unit('85ff 7401 90 c3'), unit('85ff 7403 90 ffc0 c3'))).toEqual({
    before: ['5 ret'],
    after: ['5 inc    %eax', '7 ret'],
  });
});

test('a branch that leads to another instruction of the same code is', () => {
  expect(marked(unit('85ff 7402 90 90 c3'), unit('85ff 7401 90 90 c3'))).toEqual({
    before: ['2 je     +0x6'],
    after: ['2 je     +0x5'],
  });
});

test('a call to something else shows both names', () => {
  const call = (name: string): ReturnType<typeof unit> => unit('e8 00000000 c3', [[1, PLT32, name, -4]]);
  expect(marked(call('kfree'), call('vfree'))).toEqual({ before: ['0 call   kfree'], after: ['0 call   vfree'] });
});

test('code that only goes on longer differs where the shorter one ends', () => {
  expect(marked(unit('c3'), unit('c3 c3'))).toEqual({ before: [], after: ['1 ret'] });
});
