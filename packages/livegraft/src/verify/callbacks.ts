/**
 * What the glue registers beside functions: callbacks of each object, through the tables of kernel/callbacks.h, states, and the note. Compared with what
 * the patched objects say in `.livegraft`.
 */
import type { Btf } from '@livegraft/binfmt/btf';
import { SHF } from '@livegraft/binfmt/elf/constants';
import { readModinfo } from '@livegraft/binfmt/modinfo';
import { type CallbackKind, callbackKinds } from '../support/author.ts';
import { noteSection, readLivegraftNote } from '../support/livegraft-note.ts';
import { decode } from './decode.ts';
import { layoutOf } from './layouts.ts';
import type { Refusal } from './loadable.ts';
import type { LivepatchModule } from './module.ts';
import type { Item } from './object.ts';
import { type PatchState, pointer, type Spot, StructureError, spotIsZero } from './patch-structs.ts';
import type { CheckedUnit } from './unit.ts';

/** A callback that the patched source has, with the place where the module has it. */
export interface RegisteredCallback {
  readonly unit: CheckedUnit;
  readonly item: Item;
  readonly spot: Spot;
}

type Row = Partial<Record<CallbackKind, Spot>>;

/** Of kernel/forget.h: the first row of a table, or the callback itself. */
const forget = 'livegraft_forget';

/** The callbacks of an object as the module has them, a row for each unit. Throws StructureError. */
export function readCallbacks(module: LivepatchModule, btf: Btf, object: Spot): Row[] {
  const at = layoutOf(btf, 'klp_object').at('callbacks');
  const layout = layoutOf(btf, 'klp_callbacks');
  const registered = callbackKinds.flatMap((kind) => {
    const spot = pointer(module, object, at + layout.at(kind));
    return spot === undefined ? [] : [{ kind, spot }];
  });
  const tables = new Map<string, Spot>();
  for (const { kind, spot } of registered) {
    if (kind === 'post_unpatch' && registered.length === 1 && nameAt(module, spot) === forget) return [];
    const table = tableOf(module, kind, spot);
    tables.set(`${table.section.index}:${table.offset}`, table);
  }
  const [table, other] = tables.values();
  if (other !== undefined) throw new StructureError('the callbacks of one object use two tables');
  if (table === undefined) return [];
  const rows = readRows(module, table);
  const [first] = rows;
  if (first?.post_unpatch !== undefined && nameAt(module, first.post_unpatch) === forget) rows.shift();
  for (const kind of callbackKinds) {
    const isThere = registered.some((each) => each.kind === kind);
    if (rows.some((row) => row[kind] !== undefined) && !isThere)
      throw new StructureError(`a table has ${kind} callbacks, which klp_object.callbacks has not`);
  }
  return rows;
}

/** The only data that a registered function hands to `livegraft_run_KIND`. */
function tableOf(module: LivepatchModule, kind: CallbackKind, { section, offset }: Spot): Spot {
  const symbol = module.elf.symbols.find(
    (each) => each.section === section.index && Number(each.value) === offset && each.type === 2,
  );
  if (symbol === undefined) throw new StructureError(`klp_callbacks.${kind} is not the beginning of a function`);
  const tables: Spot[] = [];
  let runs = 0;
  const fields = module.fieldsIn(section, offset, offset + symbol.size);
  // a call within one section needs no relocation
  for (const { outside } of decode(section, offset, symbol.size, new Set(fields.map((field) => field.offset))).operands)
    if (outside !== undefined && nameAt(module, { section, offset: outside }) === `livegraft_run_${kind}`) runs++;
  for (const field of fields) {
    const referent = module.referent(field);
    if (referent.kind !== 'inside') continue;
    const spot = {
      section: referent.section,
      offset: referent.offset + (field.type === 2 || field.type === 4 ? 4 : 0),
    };
    if ((referent.section.flags & SHF.EXECINSTR) === 0) tables.push(spot);
    else if (nameAt(module, spot) === `livegraft_run_${kind}`) runs++;
  }
  const [table, other] = tables;
  if (runs !== 1 || table === undefined || other !== undefined)
    throw new StructureError(`klp_callbacks.${kind} does not call livegraft_run_${kind}() with one table`);
  return table;
}

function readRows(module: LivepatchModule, table: Spot): Row[] {
  const rows: Row[] = [];
  for (let at = 0; ; at += 32) {
    if (table.offset + at + 32 > table.section.size) throw new StructureError('a table of callbacks has no end');
    const row: Row = {};
    for (const [i, kind] of callbackKinds.entries()) {
      const spot = pointer(module, table, at + 8 * i);
      if (spot !== undefined) row[kind] = spot;
    }
    if (Object.keys(row).length === 0 && spotIsZero(table, at, 32)) return rows;
    rows.push(row);
  }
}

function nameAt(module: LivepatchModule, { section, offset }: Spot): string | undefined {
  return module.elf.symbols.find(
    (each) => each.section === section.index && Number(each.value) === offset && each.type === 2,
  )?.name;
}

/** Compares an object's rows with its units. What does not fit is told by `wrong`; the rest is to be followed. */
export function matchCallbacks(
  object: string,
  rows: readonly Row[],
  units: readonly CheckedUnit[],
  wrong: (unit: string, name: string, meant: string, found: string) => void,
): RegisteredCallback[] {
  const own = units.filter((unit) => unit.object === object && unit.author.callbacks.length > 0);
  if (own.length !== rows.length) {
    const what = own.map(({ source }) => source).join(', ') || 'no unit';
    wrong(own[0]?.source ?? object, 'klp_object.callbacks', `callbacks of ${what}`, `${rows.length} rows of callbacks`);
    return [];
  }
  const found: RegisteredCallback[] = [];
  for (const [i, unit] of own.entries()) {
    const section = unit.author.section!;
    for (const kind of callbackKinds) {
      const entry = unit.author.callbacks.find((each) => each.kind === kind);
      const spot = rows[i]![kind];
      if (entry === undefined || spot === undefined) {
        if (entry !== undefined || spot !== undefined)
          wrong(unit.source, kind, entry?.name ?? 'no callback', spot === undefined ? 'none' : 'one');
        continue;
      }
      const [field] = unit.patched.relocations(section, entry.field, entry.field + 1);
      const meaning = field && unit.patched.meaning(field, 0);
      const home =
        meaning?.kind === 'undefined'
          ? units
              .filter((other) => other.object === object)
              .flatMap((other) => {
                const item = other.patched.named(meaning.name);
                return item?.kind === 'function' ? [{ unit: other, item }] : [];
              })[0]
          : meaning?.kind === 'item' && meaning.item.kind === 'function' && meaning.at === 0
            ? { unit, item: meaning.item }
            : undefined;
      if (home === undefined) wrong(unit.source, kind, `the function ${entry.name}`, 'no function');
      else found.push({ ...home, spot });
    }
  }
  return found;
}

/** The states must be those of the units. */
export function checkStates(states: readonly PatchState[], units: readonly CheckedUnit[]): Refusal[] {
  const spell = ({ id, version }: { readonly id: bigint; readonly version: number }): string =>
    `${id} version ${version}`;
  const wanted = units.flatMap(({ author }) => author.states.map(spell)).sort();
  const there = states.map(spell).sort();
  if (wanted.join() === there.join()) return [];
  return [
    {
      at: 'klp_patch.states',
      what: `${there.join(', ') || 'none'}; the patched source has ${wanted.join(', ') || 'none'}`,
    },
  ];
}

/** The note must say what the structures say. */
export function checkNote(
  module: LivepatchModule,
  kernel: string | undefined,
  { replace, states }: { readonly replace: boolean; readonly states: readonly PatchState[] },
): Refusal[] {
  const section = module.section(noteSection);
  const note = section && readLivegraftNote(section.data);
  if (note === undefined) return [{ at: noteSection, what: 'it is not there, or cannot be read' }];
  const info = module.section('.modinfo');
  const name = info && readModinfo(info.data).find(({ key }) => key === 'name')?.value;
  const found: Refusal[] = [];
  const want = (what: string, is: unknown, expected: unknown): void => {
    if (is !== expected)
      found.push({ at: noteSection, what: `its ${what} is ${String(is)}; ${String(expected)} expected` });
  };
  want('name', note.name, name);
  want('kernel', note.kernel, kernel);
  want('replace', note.replace, replace);
  const spell = (list: readonly { id: number | bigint; version: number }[]): string =>
    list.map(({ id, version }) => `${id}:${version}`).join();
  want('list of states', spell(note.states), spell(states));
  return found;
}
