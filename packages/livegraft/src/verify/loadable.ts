/**
 * Would this kernel take the module? Does what the module loader and the livepatch core do before code of the module runs
 * (kernel/module/main.c, arch/x86/kernel/module.c, kernel/livepatch/core.c), and reports where they would stop.
 */
import type { Btf } from '@livegraft/binfmt/btf';
import { EM, ET, SHF, SHN, SHT, STB } from '@livegraft/binfmt/elf/constants';
import { readModinfo } from '@livegraft/binfmt/modinfo';
import type { ShippedKernel } from './kernel.ts';
import { checkLandingPads } from './landing-pads.ts';
import { layoutOf } from './layouts.ts';
import type { LivepatchModule, ModuleField } from './module.ts';
import { objectOfSection, parseKlpSymbol } from './module.ts';
import { widthOf } from './object.ts';
import type { PatchFunction } from './patch-structs.ts';
import { checkTables } from './tables.ts';

export interface Refusal {
  /** Where in the module. */
  readonly at: string;
  readonly what: string;
}

export interface LoadInput {
  readonly module: LivepatchModule;
  readonly kernel: ShippedKernel;
  readonly btf: Btf;
  /** Of the shipped modules. */
  readonly vermagic: string;
  /** klp objects that the patch has. */
  readonly objects: readonly string[];
  readonly functions: readonly PatchFunction[];
}

/** Relocations that the loader of x86-64 applies, and how far their values may reach. */
const accepted: ReadonlySet<number> = new Set([0, 1, 2, 4, 10, 11, 24]);
/** include/linux/percpu.h, PERCPU_MODULE_RESERVE */
const PERCPU_RESERVE = 8 << 10;

export function checkLoadable(input: LoadInput): Refusal[] {
  return [
    ...checkFile(input),
    ...checkInfo(input),
    ...checkImports(input),
    ...checkRelocations(input),
    ...checkTables(input),
    ...checkLandingPads(input),
    ...checkReplaced(input),
  ];
}

function checkFile({ module, btf }: LoadInput): Refusal[] {
  const { elf } = module;
  const found: Refusal[] = [];
  const say = (at: string, what: string): number => found.push({ at, what });
  if (elf.type !== ET.REL || elf.machine !== EM.X86_64) say('the file', 'it is no relocatable file for x86-64');
  if (elf.sections.filter((section) => section.type === SHT.SYMTAB).length !== 1)
    say('the file', 'it has not one symbol table');
  const self = module.section('.gnu.linkonce.this_module');
  const size = layoutOf(btf, 'module').size;
  if (self?.size !== size)
    say('.gnu.linkonce.this_module', `it has ${self?.size ?? 0} bytes; struct module of this kernel has ${size}`);
  const percpu = module.section('.data..percpu');
  if (percpu !== undefined && percpu.size > PERCPU_RESERVE)
    say('.data..percpu', `${percpu.size} bytes; modules share ${PERCPU_RESERVE}`);
  for (const section of elf.sections) {
    if ((section.flags & SHF.ALLOC) !== 0 && section.addralign > 4096)
      say(section.name, `alignment ${section.addralign}, more than a page`);
  }
  return found;
}

function checkInfo({ module, vermagic }: LoadInput): Refusal[] {
  const section = module.section('.modinfo');
  const entries = section === undefined ? [] : readModinfo(section.data);
  const value = (key: string): string | undefined => entries.find((entry) => entry.key === key)?.value;
  const found: Refusal[] = [];
  const want = (key: string, right: boolean, expected: string): void => {
    if (!right)
      found.push({ at: '.modinfo', what: `${key} is ${JSON.stringify(value(key) ?? 'absent')}; ${expected} expected` });
  };
  want('vermagic', value('vermagic')?.trimEnd() === vermagic.trimEnd(), JSON.stringify(vermagic));
  want('livepatch', value('livepatch') !== undefined, '"Y"');
  want(
    'license',
    /^(GPL|GPL v2|GPL and additional rights|Dual (BSD|MIT|MPL)\/GPL)$/.test(value('license') ?? ''),
    '"GPL"',
  );
  const name = value('name');
  want('name', name !== undefined && name.length < 56, 'a name of at most 55 characters');
  return found;
}

/** simplify_symbols(), resolve_symbol(), check_version(). */
function checkImports({ module, kernel }: LoadInput): Refusal[] {
  const found: Refusal[] = [];
  const info = module.section('.modinfo');
  const entries = info === undefined ? [] : readModinfo(info.data);
  const depends = new Set(entries.filter(({ key }) => key === 'depends').flatMap(({ value }) => value.split(',')));
  const namespaces = new Set(entries.filter(({ key }) => key === 'import_ns').map(({ value }) => value));
  const versions = readVersions(module, found);
  const { exports } = kernel.image;
  for (const { index, name, section, special, binding, size } of module.elf.symbols) {
    const say = (what: string): number => found.push({ at: `symbol ${name || index}`, what });
    if (special === SHN.COMMON) say('a common block; the loader refuses them');
    if (special === SHN.LIVEPATCH && parseKlpSymbol(name) === undefined) say('no name of a livepatch symbol');
    if (section !== SHN.UNDEF || special !== undefined || index === 0) {
      if (special === undefined && index > 0 && size > module.elf.sections[section]!.size)
        say('larger than its section');
      continue;
    }
    const exported = exports.get(name);
    if (binding === STB.WEAK && exported === undefined) continue;
    if (name.length > 55) say('longer than the 55 characters of a version entry');
    if (exported === undefined || kernel.exported(name) === undefined) {
      say('nothing in this kernel exports it');
      continue;
    }
    const owner = exported.owner.slice(exported.owner.lastIndexOf('/') + 1).replaceAll('-', '_');
    if (owner !== 'vmlinux' && !depends.has(owner)) say(`exported by ${owner}, which is not in depends=`);
    if (exported.namespace !== '' && !namespaces.has(exported.namespace))
      say(`in the namespace ${exported.namespace}, which is not imported`);
    const crc = versions.get(name);
    if (exported.crc !== 0 && crc !== exported.crc)
      say(`its version is ${crc === undefined ? 'absent' : hex(crc)}; the kernel has ${hex(exported.crc)}`);
  }
  const layout = exports.get('module_layout');
  if (layout !== undefined && layout.crc !== 0 && versions.get('module_layout') !== layout.crc)
    found.push({ at: '__versions', what: 'the version of module_layout is not the kernel’s' });
  return found;
}

/** struct modversion_info: u64 and 56 characters. */
function readVersions(module: LivepatchModule, found: Refusal[]): Map<string, number> {
  const versions = new Map<string, number>();
  const section = module.section('__versions');
  if (section === undefined) return versions;
  if (section.size % 64 !== 0) found.push({ at: '__versions', what: `${section.size} bytes, not a multiple of 64` });
  const view = new DataView(section.data.buffer, section.data.byteOffset, section.data.length);
  for (let at = 0; at + 64 <= section.size; at += 64) {
    const text = section.data.subarray(at + 8, at + 64);
    const end = text.indexOf(0);
    if (end < 1) found.push({ at: `__versions+0x${at.toString(16)}`, what: 'a name without an end' });
    const name = Buffer.from(text.subarray(0, Math.max(0, end))).toString('latin1');
    if (versions.has(name)) found.push({ at: '__versions', what: `two entries for ${name}` });
    versions.set(name, Number(view.getBigUint64(at, true)));
  }
  return versions;
}

/** apply_relocations(), klp_apply_section_relocs(), apply_relocate_add(). */
function checkRelocations({ module, objects }: LoadInput): Refusal[] {
  const found: Refusal[] = [];
  for (const table of module.elf.sections.filter((section) => section.type === SHT.RELA)) {
    const isLivepatch = (table.flags & SHF.RELA_LIVEPATCH) !== 0;
    const object = objectOfSection(table.name);
    const target = module.elf.sections[table.info]!;
    const say = (what: string): number => found.push({ at: table.name, what });
    if (isLivepatch !== table.name.startsWith('.klp.rela.'))
      say('name and flags disagree whether it is for the livepatch core');
    if (isLivepatch && object === undefined) say('no name of livepatch relocations');
    if (isLivepatch && (table.flags & SHF.ALLOC) === 0) say('not loaded, but the core needs it later');
    if (object !== undefined && object !== 'vmlinux' && !objects.includes(object))
      say(`the patch has no object ${object}`);
    if (object !== undefined && table.name.slice('.klp.rela.'.length + object.length + 1) !== target.name)
      say(`it is applied to ${target.name}`);
  }
  for (const section of module.elf.sections) {
    let end = 0;
    for (const field of module.fields(section)) {
      const at = module.describe(section, field.offset);
      const width = widthOf(field.type);
      const problem = fieldProblem(module, section, field, width, end);
      if (problem !== undefined) found.push({ at, what: problem });
      end = Math.max(end, field.offset + width);
    }
  }
  return found;
}

function fieldProblem(
  module: LivepatchModule,
  section: { name: string; size: number; data: Uint8Array; flags: number },
  field: ModuleField,
  width: number,
  end: number,
): string | undefined {
  const { offset, type, symbol, applyWith } = field;
  if ((section.flags & SHF.ALLOC) === 0) return undefined;
  if (!accepted.has(type)) return `relocation type ${type}, which the loader does not know`;
  if (offset < 0 || offset + width > section.size) return `a field of ${width} bytes leaves ${section.name}`;
  if (offset < end) return 'it overlaps the relocated field before it';
  if (section.data.subarray(offset, offset + width).some((byte) => byte !== 0))
    return 'the field is not zero; the loader refuses that';
  if ((symbol.special === SHN.LIVEPATCH) !== (applyWith !== undefined))
    return `${symbol.name} is ${applyWith === undefined ? 'a' : 'no'} livepatch symbol`;
  // an address of a module or of the kernel needs 64 bits, or sign extension
  if (type === 10) return 'R_X86_64_32: no address of the kernel fits';
  const referent = module.referent(field);
  if (referent.kind === 'nothing') return referent.why;
  if (referent.kind === 'inside') {
    if ((referent.section.flags & SHF.ALLOC) === 0) return `it refers to ${referent.section.name}, which is not loaded`;
    const bias = type === 2 || type === 4 ? 8 : 0;
    if (referent.offset + bias < 0 || referent.offset > referent.section.size + bias)
      return `it leads outside ${referent.section.name}`;
    return undefined;
  }
  const klp = parseKlpSymbol(symbol.name);
  if (klp === undefined || applyWith === undefined) return undefined;
  if (applyWith !== 'vmlinux' && klp.object === 'vmlinux')
    return `${symbol.name} is of vmlinux, the relocation is applied with ${applyWith}: the core refuses that`;
  if (applyWith === 'vmlinux' && klp.object !== 'vmlinux')
    return `${symbol.name} is of a module that need not be loaded yet`;
  return undefined;
}

/** klp_init_object_loaded() and klp_patch_func(). */
function checkReplaced({ module, kernel, functions }: LoadInput): Refusal[] {
  const found: Refusal[] = [];
  const seen = new Set<string>();
  for (const { object, oldName, oldPosition, section, offset } of functions) {
    const say = (what: string): number => found.push({ at: `${oldName} [${object}]`, what });
    const place = kernel.find(object, oldName, oldPosition);
    if (typeof place === 'string') {
      say(place);
      continue;
    }
    if (!kernel.object(object)!.traceable(place.address)) say('the shipped function has no ftrace entry');
    const key = `${object}:${place.address}`;
    if (seen.has(key)) say('replaced twice');
    seen.add(key);
    const symbol = module.elf.symbols.find(
      (each) => each.section === section.index && Number(each.value) === offset && each.type === 2,
    );
    if (symbol === undefined || symbol.size === 0 || offset + symbol.size > section.size)
      say('new_func is not the beginning of a function of the module');
  }
  return found;
}

const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
