import { expect, test } from 'vitest';
import type { Code } from './code.ts';
import { stepsOf } from './steps.ts';
import { waitsOf } from './waits.ts';

/** Code from hexadecimal, where `call NAME` is a call and `jump NAME` a jump to another function. */
function code(...parts: string[]): Code {
  const bytes: number[] = [];
  const calls: { offset: number; name: string }[] = [];
  for (const part of parts) {
    const [, how, name] = /^(call|jump) (\w+)$/.exec(part) ?? [];
    if (name === undefined) {
      bytes.push(...Buffer.from(part.replaceAll(' ', ''), 'hex'));
    } else {
      calls.push({ offset: bytes.length, name });
      bytes.push(how === 'call' ? 0xe8 : 0xe9, 0, 0, 0, 0x40);
    }
  }
  return { name: 'f', unit: 'f.c', bytes: Uint8Array.from(bytes), calls, callee: () => undefined };
}

const forever = '48 bf ff ff ff ff ff ff ff 7f'; // movabs $LONG_MAX,%rdi
const second = 'bf fa 00 00 00'; // mov $250,%edi
const current = '65 48 8b 04 25 00 00 02 00'; // mov %gs:0x20000,%rax
const interruptible = 'ba 01 00 00 00'; // mov $1,%edx
const returns = 'jump __x86_return_thunk';

test('waitsOf: the state from prepare_to_wait(), set_current_state() or an argument', () => {
  const state = (...parts: string[]) => waitsOf(code(...parts)).map(({ by, manner }) => [by, manner]);
  expect(state(interruptible, 'call prepare_to_wait_event', 'call schedule')).toEqual([['schedule', 'interruptible']]);
  expect(state('ba 02 00 00 00', 'call prepare_to_wait', 'call schedule')).toEqual([['schedule', 'uninterruptible']]);
  expect(state('ba 02 01 00 00', 'call prepare_to_wait', 'call schedule')).toEqual([['schedule', 'killable']]);
  expect(state('ba 02 04 00 00', 'call prepare_to_wait', 'call schedule')).toEqual([['schedule', 'idle']]);
  // xchg %edx,0x18(%rax); movl $2,0x18(%rax)
  expect(state(current, interruptible, '87 50 18', 'call schedule')).toEqual([['schedule', 'interruptible']]);
  expect(state(current, 'c7 40 18 02 00 00 00', 'call schedule')).toEqual([['schedule', 'uninterruptible']]);
  expect(state('be 01 00 00 00', 'call wait_woken')).toEqual([['wait_woken', 'interruptible']]);
  expect(state('call schedule')).toEqual([['schedule', 'unknown']]);
  // a plain store to what is not current says nothing
  expect(state('c7 43 18 01 00 00 00', 'call schedule')).toEqual([['schedule', 'unknown']]);
});

test('waitsOf: how long at most, also by way of a register that a loop keeps it in', () => {
  const limit = (...parts: string[]) => waitsOf(code(...parts)).map(({ timed, limit: most }) => [timed, most]);
  expect(limit(forever, 'call schedule_timeout_interruptible')).toEqual([[false, undefined]]);
  expect(limit(second, 'call schedule_timeout_interruptible')).toEqual([[true, 250n]]);
  expect(limit('48 89 f7', 'call schedule_timeout_interruptible')).toEqual([[true, undefined]]);
  // mov $250,%ebx; mov %rbx,%rdi; call; mov %rax,%rbx
  expect(limit('bb fa 00 00 00', '48 89 df', 'call schedule_timeout', '48 89 c3')).toEqual([[true, 250n]]);
  expect(limit('48 8b 19', '48 89 df', 'call schedule_timeout')).toEqual([[true, undefined]]);
  expect(limit('call wait_for_completion')).toEqual([[false, undefined]]);
});

test('waitsOf: locks, memory and rescheduling are no waits', () => {
  const calls = ['mutex_lock', 'down_read', '__cond_resched', '__kmalloc', 'schedule_work', 'prepare_to_wait'];
  expect(waitsOf(code(...calls.map((name) => `call ${name}`), returns))).toEqual([]);
});

test('stepsOf: a return, a jump to another function, loops', () => {
  expect(stepsOf(code('90', returns))).toMatchObject({ returns: true, loops: [] });
  expect(stepsOf(code('90', 'c3'))).toMatchObject({ returns: true });
  expect(stepsOf(code('call g', 'jump g'))).toMatchObject({ returns: true });
  expect(stepsOf(code('call g', '0f 0b'))).toMatchObject({ returns: false, loops: [] });
  expect(stepsOf(code('90', 'call schedule', 'eb f8'))).toMatchObject({ returns: false, loops: [{ from: 6, to: 0 }] });
});
