import type { Btf } from '@livegraft/binfmt/btf';
import { expect, test } from 'vitest';
import { objectBytes, PC32, type SectionLines } from '../objdiff/testing/object.ts';
import { ModuleEntries, unitEntries } from './entries.ts';
import type { ShippedKernel } from './kernel.ts';
import { LivepatchModule } from './module.ts';
import { UnitFile } from './object.ts';

const noBtf = undefined as unknown as Btf;
const noKernel = undefined as unknown as ShippedKernel;

test('landing pads that are sealed are not compared: what a unit only calls may be replaced, and the glue then takes its address', () => {
  const list: SectionLines = { bytes: [0, 0, 0, 0], relocations: [[0, PC32, 'f', 0]] };
  const bytes = objectBytes({
    '.text': { flags: 'x', bytes: [0xf3, 0x0f, 0x1e, 0xfa, 0xc3], symbols: [{ name: 'f' }] },
    '.ibt_endbr_seal': list,
    '.call_sites': list,
  });
  const unit = new UnitFile(bytes);
  expect([...unitEntries(unit, noBtf).values()].flat().map(({ table }) => table)).toEqual(['.call_sites']);
  const module = new LivepatchModule(bytes, noKernel);
  const left = new ModuleEntries(module, noBtf).left(module.section('.text')!, 0, 5);
  expect(left).toEqual([{ table: '.call_sites', offset: 0 }]);
});
