/** Functions that the kernel was given to call later: what was given before the patch stays with the object until somebody sets it up again. */
import type { Diagnostic, Spot } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-behaviour.ts';
import type { Declaration } from '../../patch/declarations.ts';
import { callsIn, memberOf, written } from './calls.ts';
import type { ChangedSource, Functions } from './sources.ts';

export interface StoredCallback {
  /** `INIT_WORK`, `timer_setup`; `=` where a member is set. */
  readonly by: string;
  /** As written, without `&`: `x->work`. */
  readonly object: string;
  readonly callback: string;
  readonly function: string;
  readonly line: number;
}

export interface ChangedCallback {
  /** `other`: objects keep the old function. `gone`: nothing sets it up any more. `late`: it is used, and objects that exist were not set up. */
  readonly how: 'other' | 'gone' | 'late';
  readonly was?: StoredCallback;
  readonly now?: StoredCallback;
  /** For `late`: who uses it. */
  readonly user?: { readonly function: string; readonly line: number; readonly by: string };
}

/** An assignment, by another name. */
const assigns = /^(WRITE_ONCE|smp_store_release|rcu_assign_pointer)$/;

/** What is called, the place of the object and of the function among its arguments (the headers of include/linux that declare them). */
const setUps: readonly (readonly [call: RegExp, object: number, callback: number])[] = [
  [/^(INIT_(DELAYED_|DEFERRABLE_|RCU_)?WORK|kthread_init_(delayed_)?work)$/, 0, 1],
  [/^(timer_setup|tasklet_(setup|init)|init_irq_work|INIT_CSD)$/, 0, 1],
  [/^call_rcu(_hurry|_tasks)?$/, 0, 1],
  [/^call_srcu$/, 1, 2],
  [/^(devm_)?request_irq$/, 0, 1],
  [/^request_threaded_irq$/, 0, 1],
  [/^devm_request_(threaded_)?irq$/, 1, 2],
  [/^usb_fill_(control|bulk)_urb$/, 0, 5],
  [/^usb_fill_int_urb$/, 0, 5],
  [assigns, 0, 1],
];

const uses =
  /^(queue_(delayed_)?work(_on)?|mod_delayed_work(_on)?|schedule_(delayed_)?work(_on)?|mod_timer|add_timer|timer_reduce|tasklet_schedule|tasklet_hi_schedule|irq_work_queue|kthread_queue_(delayed_)?work|hrtimer_start)$/;

export function changedCallbacks({ before, after, staying, patched }: ChangedSource): ChangedCallback[] {
  const [old, fresh] = [storedIn(before), storedIn(after)];
  const objects = new Set([...old, ...fresh].map(keyOf));
  return [...objects].flatMap((key): ChangedCallback[] => {
    const [was, now] = [old.filter((each) => keyOf(each) === key), fresh.filter((each) => keyOf(each) === key)];
    const had = new Set(was.map(({ callback }) => callback));
    const has = new Set(now.map(({ callback }) => callback));
    if (was.length === 0) return late(now, after, staying);
    const lost = was.find(({ callback }) => !has.has(callback));
    const added = now.find(({ callback }) => !had.has(callback));
    if (lost === undefined) return exchangedWithin(was, now, staying);
    if (added !== undefined) return [{ how: 'other', was: lost, now: added }];
    if (now.length > 0) return exchangedWithin(was, now, staying);
    return isGone(lost, patched) ? [{ how: 'gone', was: lost }] : [];
  });
}

/** Members of one name in several structures: a function that stores another callback than before. */
function exchangedWithin(
  was: readonly StoredCallback[],
  now: readonly StoredCallback[],
  staying: Functions,
): ChangedCallback[] {
  return was.flatMap((one): ChangedCallback[] => {
    const own = now.filter((each) => each.function === one.function && each.object === one.object);
    const [other] = own;
    const only = was.filter((each) => each.function === one.function && each.object === one.object).length === 1;
    if (staying.has(one.function) || !only || own.length !== 1 || other!.callback === one.callback) return [];
    return [{ how: 'other', was: one, now: other! }];
  });
}

/** Nobody takes its address any more. What waits for readers of RCU is called soon in any case. */
function isGone({ by, callback }: StoredCallback, patched: readonly Declaration[]): boolean {
  if (/^call_s?rcu/.test(by)) return false;
  return !patched.some(
    ({ kind, tokens }) =>
      (kind === 'function' || kind === 'variable') &&
      tokens.some(({ text }, i) => text === callback && !/^[(]$/.test(tokens[i + 1]?.text ?? '')),
  );
}

function late(now: readonly StoredCallback[], after: Functions, staying: Functions): ChangedCallback[] {
  const [first] = now.filter(({ by }) => /^(INIT_|timer_setup|tasklet|init_irq_work|kthread_init)/.test(by));
  if (first === undefined) return [];
  const member = memberOf(first.object);
  const makers = new Set(now.map((each) => each.function));
  for (const owner of after.values()) {
    if (makers.has(owner.name) || staying.has(owner.name)) continue;
    const call = callsIn(owner).find(
      (each) => uses.test(each.name) && each.arguments.some((word) => memberOf(word.replace(/^&/, '')) === member),
    );
    if (call !== undefined)
      return [{ how: 'late', now: first, user: { function: owner.name, line: call.line, by: call.name } }];
  }
  return [];
}

function storedIn(functions: Functions): StoredCallback[] {
  return [...functions.values()].flatMap((owner) => {
    const calls = callsIn(owner).flatMap((call): StoredCallback[] => {
      const set = setUps.find(([name]) => name.test(call.name));
      if (set === undefined) return [];
      const [object, callback] = [call.arguments[set[1]], call.arguments[set[2]]];
      if (object === undefined || callback === undefined || !functions.has(callback)) return [];
      const by = assigns.test(call.name) ? '=' : call.name;
      return [{ by, object: object.replace(/^&/, ''), callback, function: owner.name, line: call.line }];
    });
    return [...calls, ...membersSet(owner, functions)];
  });
}

/** `x->complete = done;`; the same by WRITE_ONCE() is found among the calls. */
function membersSet({ name, tokens }: Declaration, functions: Functions): StoredCallback[] {
  return tokens.flatMap(({ text, line }, i): StoredCallback[] => {
    if (!functions.has(text) || tokens[i + 1]?.text !== ';') return [];
    const value = tokens[i - 1]?.text === '&' ? i - 1 : i;
    if (tokens[value - 1]?.text !== '=') return [];
    let from = value - 1;
    while (from > 0 && !/^[;{}]$/.test(tokens[from - 1]!.text)) from--;
    const object = written(tokens.slice(from, value - 1))
      .replace(/^.*\)(?=\w)/, '')
      .replace(/^(else|do) /, '');
    if (!/->|\./.test(object) || object.includes('=')) return [];
    return [{ by: '=', object, callback: text, function: name, line }];
  });
}

/** The same member set up in the same way is the same thing, whatever the variable is called. */
function keyOf({ by, object }: StoredCallback): string {
  return `${by === '=' ? '=' : by.replace(/^(__|devm_)/, '').replace(/_ONSTACK|DEFERRABLE_|DELAYED_/, '')} ${memberOf(object)}`;
}

export function callbackFindings(source: ChangedSource): Diagnostic[] {
  return changedCallbacks(source).map((change) => {
    const { file } = source;
    const { was, now, user } = change;
    const spots: Spot[] = [
      ...(was === undefined
        ? []
        : [{ file, line: was.line, side: 'original' as const, what: `${was.function}() stores ${was.callback}()` }]),
      ...(now === undefined
        ? []
        : [{ file, line: now.line, side: 'patched' as const, what: `${now.function}() stores ${now.callback}()` }]),
      ...(user === undefined
        ? []
        : [{ file, line: user.line, side: 'patched' as const, what: `${user.function}() uses it: ${user.by}()` }]),
    ];
    const concerned = [was?.function, was?.callback, now?.function, user?.function];
    const functions = [...new Set(concerned)].filter(
      (name): name is string => name !== undefined && source.before.has(name) && !source.staying.has(name),
    );
    const { object } = (now ?? was)!;
    return say.storedCallback({ file, object, functions, spots, ...inWords(change) });
  });
}

function inWords({ was, now, user }: ChangedCallback): { change: string; fate: string } {
  if (now === undefined)
    return {
      change: `Nothing stores ${was!.callback}() in ${was!.object} any more`,
      fate: 'What was set up or queued before the livepatch came still calls it, and new code may no longer wait for that',
    };
  if (was === undefined)
    return {
      change: `${now.object} is set up (${now.by}) in ${now.function}(), and ${user!.function}() uses it: both are new`,
      fate: `Objects that exist when the livepatch comes were never set up: ${user!.by}() on them works with what happens to lie there`,
    };
  return {
    change: `${now.object} gets ${now.callback}() where it got ${was.callback}()`,
    fate: `Objects set up before the livepatch came go on calling ${was.callback}(), and those set up meanwhile call ${now.callback}() after a revert`,
  };
}
