/**
 * Locks and references that one function takes and another gives back. While tasks move, such a pair can be split: taken by the old code,
 * given back (or not) by the new. A task between the two has neither on its stack, so the kernel sees no reason to wait for it. That takes two
 * calls: within one call of a replaced function the task cannot move (`within.ts`), and none moves that holds a lock with which it may not sleep.
 */
import type { Declaration } from '../../patch/declarations.ts';
import { callsIn, memberOf } from './calls.ts';
import type { ChangedSource } from './sources.ts';
import { isWithinOneCall } from './within.ts';

/** What a function does with one lock or kind of reference, by its text. */
export type Side = 'neither' | 'takes' | 'gives' | 'both';

export interface ChangedSide {
  readonly what: 'lock' | 'reference';
  /** The lock as written, or the kind of reference: `&sbi->s_lock`, `dev_hold/dev_put`. */
  readonly name: string;
  readonly function: string;
  readonly before: Side;
  readonly after: Side;
  /** Of the first call concerned; in the original text where the patched one has none. */
  readonly line: number;
  readonly side: 'original' | 'patched';
}

/** Whoever holds one of these runs on, on its processor, until it gives it back (without PREEMPT_RT). */
const spinning: readonly (readonly [takes: RegExp, gives: RegExp])[] = [
  [/^(raw_)?spin_(try)?lock(_irq|_irqsave|_bh|_nested)?$/, /^(raw_)?spin_unlock(_irq|_irqrestore|_bh)?$/],
  [/^(raw_)?read_(try)?lock(_irq|_irqsave|_bh)?$/, /^(raw_)?read_unlock(_irq|_irqrestore|_bh)?$/],
  [/^(raw_)?write_(try)?lock(_irq|_irqsave|_bh)?$/, /^(raw_)?write_unlock(_irq|_irqrestore|_bh)?$/],
];

const sleeping: readonly (readonly [takes: RegExp, gives: RegExp])[] = [
  [/^mutex_(try)?lock(_nested|_interruptible|_killable|_io)?$/, /^mutex_unlock$/],
  [/^down(_trylock|_interruptible|_killable|_timeout)?$/, /^up$/],
  [/^down_read(_trylock|_interruptible|_killable|_nested)?$/, /^up_read$/],
  [/^down_write(_trylock|_killable|_nested)?$/, /^up_write$/],
  [/^inode_(try)?lock(_nested)?$/, /^inode_unlock$/],
  [/^mmap_(read|write)_(try)?lock(_killable)?$/, /^mmap_(read|write)_unlock$/],
  [/^lock_sock(_nested)?$/, /^release_sock$/],
  [/^rtnl_(try)?lock(_killable)?$/, /^rtnl_unlock$/],
  [
    /^(device|folio|console|buffer)_(try)?lock$|^(lock_page|trylock_page|lock_buffer)$/,
    /^(device|folio|console)_unlock$|^unlock_(page|buffer)$/,
  ],
];

const references: readonly (readonly [name: string, takes: RegExp, gives: RegExp])[] = [
  ['kref_get/kref_put', /^kref_get(_unless_zero)?$/, /^kref_put(_mutex|_lock)?$/],
  ['get_device/put_device', /^get_device$/, /^put_device$/],
  ['kobject_get/kobject_put', /^kobject_get$/, /^kobject_put$/],
  ['dev_hold/dev_put', /^(dev_hold|netdev_hold|dev_get_by_\w+)$/, /^(dev_put|netdev_put)$/],
  ['sock_hold/sock_put', /^sock_hold$/, /^(__)?sock_put$/],
  [
    'dget/dput',
    /^(dget|dget_parent|d_find_alias|d_alloc\w*|lookup_one\w*|kern_path_(locked|parent|create))$/,
    /^dput$/,
  ],
  ['iget/iput', /^(ihold|igrab|iget\w*)$/, /^iput$/],
  ['fget/fput', /^(fget|fget_raw|get_file)$/, /^fput$/],
  ['mmget/mmput', /^(mmget|mmget_not_zero|get_task_mm)$/, /^mmput(_async)?$/],
  [
    'get_task_struct/put_task_struct',
    /^(get_task_struct|get_proc_task|get_pid_task|find_get_task_by_vpid)$/,
    /^put_task_struct$/,
  ],
  ['get_page/put_page', /^(get_page|folio_get)$/, /^(put_page|folio_put)$/],
  ['module_get/module_put', /^(try_module_get|__module_get)$/, /^module_put$/],
  ['dst_hold/dst_release', /^(dst_hold|dst_clone)$/, /^dst_release$/],
  ['of_node_get/of_node_put', /^of_node_get$/, /^of_node_put$/],
  ['pm_runtime_get/pm_runtime_put', /^pm_runtime_(get\w*|resume_and_get)$/, /^pm_runtime_put\w*$/],
  ['refcount_inc/refcount_dec', /^refcount_inc(_not_zero)?$/, /^refcount_dec(_and_test|_and_lock|_and_mutex_lock)?$/],
];

interface Used {
  readonly what: ChangedSide['what'];
  readonly takes: boolean;
  readonly gives: boolean;
  readonly line: number;
}

/** Of one function: what it takes and gives, by name. */
function sidesOf(declaration: Declaration): ReadonlyMap<string, Used> {
  const found = new Map<string, Used>();
  const add = (what: Used['what'], name: string, takes: boolean, line: number): void => {
    const known = found.get(`${what} ${name}`) ?? { what, takes: false, gives: false, line };
    found.set(`${what} ${name}`, { ...known, ...(takes ? { takes: true } : { gives: true }) });
  };
  for (const call of callsIn(declaration)) {
    const lock = sideOfCall(call.name, sleeping);
    if (lock !== undefined)
      add('lock', call.arguments[0] ?? call.name.replace(/_(try)?(un)?lock.*/, ''), lock === 'takes', call.line);
    for (const [name, takes, gives] of references) {
      if (takes.test(call.name)) add('reference', name, true, call.line);
      else if (gives.test(call.name)) add('reference', name, false, call.line);
    }
  }
  return found;
}

/** What a call does to a lock, by its name. */
export function lockCall(name: string): 'takes' | 'gives' | undefined {
  return sideOfCall(name, sleeping) ?? sideOfCall(name, spinning);
}

function sideOfCall(name: string, of: typeof sleeping): 'takes' | 'gives' | undefined {
  const found = of.find(([takes, gives]) => takes.test(name) || gives.test(name));
  return found && (found[0].test(name) ? 'takes' : 'gives');
}

function sideOf(used: Used | undefined): Side {
  if (used === undefined) return 'neither';
  return used.takes ? (used.gives ? 'both' : 'takes') : 'gives';
}

/** One lock, or kind of reference, that changes sides. */
export interface MovedSides {
  readonly what: ChangedSide['what'];
  readonly name: string;
  /** At least two, of one file or of two. */
  readonly ends: readonly (ChangedSide & { readonly file: string })[];
}

/**
 * Of all files of a patch. What one function of a file alone does otherwise has its other half where it is not seen, in the call that it is part of;
 * unless a function of another file does the opposite.
 */
export function movedSides(sources: readonly ChangedSource[]): MovedSides[] {
  const lone: MovedSides[] = [];
  const found = sources.flatMap(({ file, before, after }) => {
    const groups = new Map<string, ChangedSide[]>();
    for (const change of changesOf(before, after)) {
      const key = `${change.what} ${change.name}`;
      groups.set(key, [...(groups.get(key) ?? []), change]);
    }
    return [...groups.values()].flatMap((changes): MovedSides[] => {
      const [{ what, name }] = changes as [ChangedSide, ...ChangedSide[]];
      const moved = { what, name, ends: changes.map((change) => ({ ...change, file })) };
      if (changes.length === 1) lone.push(moved);
      if (changes.length === 1 || isWithinOneCall(changes, before, after)) return [];
      const ends = what === 'lock' ? moved.ends : moved.ends.filter((end) => isSplit(end, moved.ends));
      return ends.length === 0 ? [] : [{ ...moved, ends }];
    });
  });
  return [...found, ...acrossFiles(lone)];
}

/** Halves of two files: references of one kind, locks that are called alike, whatever leads to them. */
function acrossFiles(lone: readonly MovedSides[]): MovedSides[] {
  return lone.flatMap((one, i) => {
    const other = lone
      .slice(i + 1)
      .find(
        ({ what, name, ends: [end] }) =>
          what === one.what &&
          memberOf(name) === memberOf(one.name) &&
          end!.file !== one.ends[0]!.file &&
          isSplit(end!, one.ends),
      );
    return other === undefined ? [] : [{ ...one, ends: [...one.ends, ...other.ends] }];
  });
}

/** @param before and `after`: the functions of one file by name */
function changesOf(before: ReadonlyMap<string, Declaration>, after: ReadonlyMap<string, Declaration>): ChangedSide[] {
  return [...after].flatMap(([name, now]): ChangedSide[] => {
    const was = before.get(name);
    const [old, fresh] = [was === undefined ? new Map<string, Used>() : sidesOf(was), sidesOf(now)];
    return [...new Set([...old.keys(), ...fresh.keys()])].flatMap((key): ChangedSide[] => {
      const [one, other] = [old.get(key), fresh.get(key)];
      const [from, to] = [sideOf(one), sideOf(other)];
      const half = (side: Side): boolean => side === 'takes' || side === 'gives';
      if (from === to || !(half(from) || half(to))) return [];
      const { what, line } = (other ?? one)!;
      const side = other === undefined ? 'original' : 'patched';
      return [{ what, name: key.slice(what.length + 1), function: name, before: from, after: to, line, side }];
    });
  });
}

/** A reference that one function alone takes or gives more often is how leaks are mended; a pair that moves has two ends. */
function isSplit(change: ChangedSide, all: readonly ChangedSide[]): boolean {
  return all.some((other) => balance(change) * balance(other) < 0);
}

/** More taken or less given: positive. */
function balance({ before, after }: ChangedSide): number {
  const held = (side: Side): number => (side === 'takes' ? 1 : side === 'gives' ? -1 : 0);
  return held(after) - held(before);
}
