import { expect, test } from 'vitest';
import { diffObjects } from './diff.ts';
import { explainFunctions } from './explain.ts';
import { object, PC32, PLT32, type SectionLines, text } from './testing/object.ts';

/** 20,000 functions with a variable each, cold parts, static locals and clones of one name: 40,000 sections. */
function large(changed: number): Record<string, SectionLines> {
  const count = 20_000;
  const sections: Record<string, SectionLines> = {
    '.rodata.str1.1': {
      flags: 'ms',
      entsize: 1,
      bytes: Array.from({ length: count }, (_, i) => text(`string ${i}`)).flat(),
    },
  };
  for (let i = 0; i < count; i++) {
    const clone = i % 10 === 0;
    sections[`.text.f${i}`] = {
      flags: 'x',
      bytes: [0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xb8, i & 0xff, i >> 8, i === changed ? 1 : 0, 0, 0xc3],
      symbols: [{ name: clone ? `f.constprop.${i}` : `f${i}` }],
      relocations: [
        [3, PC32, `.bss.v${i}`, -4],
        [8, PLT32, `.text.f${(i + 1) % count}`, -4],
      ],
    };
    sections[`.bss.v${i}`] = {
      flags: 'w',
      size: 8,
      symbols: [{ name: clone ? `v${i}` : `count.${i}`, kind: 'object' }],
    };
  }
  return sections;
}

test('an object of 40,000 sections is compared and explained in seconds', () => {
  const diff = diffObjects('large', object(large(-1)), object(large(15_001)));
  const { functions, findings } = diff;
  expect(functions).toHaveLength(20_000);
  expect(functions.filter((f) => f.verdict !== 'unchanged').map((f) => f.name)).toEqual(['f15001']);
  expect(findings).toEqual([]);
  expect(explainFunctions(diff).filter((f) => f.why !== '')).toHaveLength(1);
});
