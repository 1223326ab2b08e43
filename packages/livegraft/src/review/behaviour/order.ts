/**
 * Locks that a function takes while it holds others (Documentation/locking/lockdep-design.rst, "Multi-lock dependency rules"). While
 * tasks move, one takes them in the old order and another in the new, and each waits for the other for ever.
 */
import type { Diagnostic, Spot } from '../../diagnostics/diagnostic.ts';
import * as say from '../../diagnostics/review-behaviour.ts';
import type { Declaration } from '../../patch/declarations.ts';
import type { Token } from '../../patch/tokens.ts';
import { bracketed, type Call, callsAmong } from './calls.ts';
import { lockCall } from './sides.ts';
import type { ChangedSource } from './sources.ts';
import { type Statement, statementsOf } from './statements.ts';

export interface LockOrder {
  readonly function: string;
  /** As written: `&sbi->s_lock`. */
  readonly outer: string;
  readonly inner: string;
  /** Where the inner one is taken. */
  readonly line: number;
}

/** An order that only the patched text has, and the opposite one of the original. */
export interface ChangedOrder {
  readonly now: LockOrder;
  readonly was: LockOrder;
}

export function changedOrders({ before, after, staying }: ChangedSource): ChangedOrder[] {
  const known = [...before.values()].flatMap(lockOrders);
  return [...after].flatMap(([name, declaration]) => {
    if (staying.has(name)) return [];
    const own = known.filter((order) => order.function === name);
    return lockOrders(declaration).flatMap((now): ChangedOrder[] => {
      if (own.some((order) => isSame(order, now, name))) return [];
      const was = known.find((order) => isSame({ ...order, outer: order.inner, inner: order.outer }, now, name));
      return was === undefined ? [] : [{ now, was }];
    });
  });
}

/** Within a function the text of a lock tells it from others; elsewhere another variable may hold the object. */
function isSame(order: LockOrder, other: LockOrder, within: string): boolean {
  if (order.function === within) return order.outer === other.outer && order.inner === other.inner;
  const names = [order.outer, order.inner, other.outer, other.inner].map(distinctName);
  return !names.includes(undefined) && names[0] !== names[1] && names[0] === names[2] && names[1] === names[3];
}

/** The name of the member or of the variable with static storage; none where many structures have one of that name. */
function distinctName(lock: string): string | undefined {
  const member = /(?:->|\.)(\w+)$/.exec(lock)?.[1];
  if (member !== undefined) return /^(\w{0,2}_?)?(lock|mutex|mtx|sem|slock|rwsem)$/.test(member) ? undefined : member;
  return /^&\w+$|^\w+_mutex$|^(rtnl|sk)$/.test(lock) ? lock : undefined;
}

/** In the order of the text, on ways from the top to the end: locks taken in one branch only count as not held behind it. */
export function lockOrders(declaration: Declaration): LockOrder[] {
  const walk = new Walk(declaration.name);
  walk.all(statementsOf(declaration), []);
  return [...walk.found.values()];
}

/** Locks held, the first taken first; undefined: this place is not reached. */
type Held = readonly string[] | undefined;

class Walk {
  readonly found = new Map<string, LockOrder>();
  readonly #name: string;
  readonly #gotos = new Map<string, Held>();

  constructor(name: string) {
    this.#name = name;
  }

  all(statements: readonly Statement[], held: Held): Held {
    return statements.reduce((now: Held, each) => this.#one(each, now), held);
  }

  #one(statement: Statement, held: Held): Held {
    switch (statement.kind) {
      case 'block':
        return this.#block(statement.body, held);
      case 'if':
        return this.#branch(statement, held);
      case 'loop': {
        const inside = this.#calls(statement.head, held);
        const guarded = /^scoped_/.test(statement.head[0]?.text ?? '');
        const behind = this.#one(statement.body, inside);
        return guarded ? held : both(inside, behind);
      }
      case 'switch': {
        const inside = this.#calls(statement.head, held);
        const body = statement.body.kind === 'block' ? statement.body.body : [statement.body];
        // each case begins with what the switch began with
        let now: Held = inside;
        for (const each of body) now = each.kind === 'label' ? both(inside, now) : this.#one(each, now);
        return inside === undefined ? undefined : both(inside, now);
      }
      case 'label':
        return statement.name === undefined ? held : both(held, this.#gotos.get(statement.name));
      case 'goto': {
        const name = statement.head[0]?.text ?? '';
        this.#gotos.set(name, this.#gotos.has(name) ? both(this.#gotos.get(name), held) : held);
        return undefined;
      }
      case 'plain':
        return this.#calls(statement.head, held);
      case 'return':
        this.#calls(statement.head, held);
        return undefined;
      case 'break':
      case 'continue':
        return undefined;
    }
  }

  /** guard() gives its lock back at the end of the block. */
  #block(body: readonly Statement[], held: Held): Held {
    const behind = this.all(body, held);
    const guards = body.flatMap((each) => (each.kind === 'plain' ? guardedIn(each.head) : []));
    return behind?.filter((name) => !guards.includes(name));
  }

  #branch({ head, body, otherwise }: Statement & { kind: 'if' }, held: Held): Held {
    const tries = callsAmong(head).filter(({ name }) => /try/.test(name) && lockCall(name) === 'takes');
    const entered = this.#calls(head, held);
    const failing =
      tries.length > 0 && head.some(({ text }, i) => text === '!' && tries.some(({ at }) => at === i + 1));
    const locked = entered === undefined ? undefined : [...entered, ...tries.map(lockOf)];
    const then = this.#one(body, failing ? entered : locked);
    const other = failing ? locked : entered;
    return both(then, otherwise === undefined ? other : this.#one(otherwise, other));
  }

  #calls(tokens: readonly Token[], held: Held): Held {
    if (held === undefined) return undefined;
    let now = held;
    for (const call of callsAmong(tokens)) {
      const guard = guardOf(call, tokens);
      const how = guard === undefined ? lockCall(call.name) : 'takes';
      const name = guard ?? lockOf(call);
      if (how === 'gives') now = now.filter((each) => each !== name);
      // who only tries waits for nobody
      if (how !== 'takes' || /try/.test(call.name)) continue;
      for (const outer of now) {
        const key = `${outer} ${name}`;
        if (outer !== name && !this.found.has(key))
          this.found.set(key, { function: this.#name, outer, inner: name, line: call.line });
      }
      now = [...now.filter((each) => each !== name), name];
    }
    return now;
  }
}

function lockOf({ name, arguments: [lock] }: Call): string {
  return lock ?? name.replace(/_(try)?(un)?lock.*/, '');
}

/** The lock of `guard(mutex)(&x->m)` and `scoped_guard(mutex, &x->m)` (include/linux/cleanup.h). */
function guardOf({ name, arguments: [kind = '', lock], end }: Call, tokens: readonly Token[]): string | undefined {
  if (/try|rcu|irq$|preempt/.test(kind)) return undefined;
  if (name === 'scoped_guard') return lock;
  return name === 'guard' && tokens[end + 1]?.text === '(' ? bracketed(tokens, end + 1) : undefined;
}

function guardedIn(tokens: readonly Token[]): string[] {
  return callsAmong(tokens).flatMap((call) => guardOf(call, tokens) ?? []);
}

/** What is held on both ways. */
function both(one: Held, other: Held): Held {
  if (one === undefined || other === undefined) return one ?? other;
  return one.filter((name) => other.includes(name));
}

/** One finding a pair of locks. */
export function orderFindings(source: ChangedSource): Diagnostic[] {
  const groups = new Map<string, ChangedOrder[]>();
  for (const change of changedOrders(source)) {
    const key = `${change.now.outer} ${change.now.inner}`;
    groups.set(key, [...(groups.get(key) ?? []), change]);
  }
  return [...groups.values()].map((changes) => {
    const [{ now, was }] = changes as [ChangedOrder, ...ChangedOrder[]];
    const { file } = source;
    return say.lockOrderChanged({
      file,
      outer: now.outer,
      inner: now.inner,
      functions: changes.map((change) => change.now.function),
      spots: [spotOf(file, 'original', was), ...changes.map((change) => spotOf(file, 'patched', change.now))],
    });
  });
}

function spotOf(file: string, side: Spot['side'], { function: name, outer, inner, line }: LockOrder): Spot {
  return { file, line, side, what: `${name}() takes ${inner} while it holds ${outer}` };
}
