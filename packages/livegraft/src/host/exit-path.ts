/**
 * Functions in which a dying task may still be when nothing of the kernel shows it any more. exit_notify() takes a task off the list that
 * the livepatch core walks (kernel/exit.c, release_task), and do_exit() goes on below its callers until the last schedule(). A transition
 * ends without such a task, and a module that is unloaded then goes from under it: seen on 4 of 50,000 servers that replaced a livepatch
 * of do_exit() (live-patching list, January 2025). Nothing can be asked; only time helps.
 */
import { join } from 'node:path';
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

const last = new Set(
  // what runs after the task is off the list, and what stands below it on the stack
  (
    'release_task exit_notify exit_tasks_rcu_finish exit_rcu do_task_dead do_exit make_task_dead rewind_stack_and_make_dead ' +
    'do_group_exit __do_sys_exit __do_sys_exit_group __x64_sys_exit __x64_sys_exit_group __ia32_sys_exit __ia32_sys_exit_group ' +
    'get_signal arch_do_signal_or_restart exit_to_user_mode_loop exit_to_user_mode_prepare syscall_exit_to_user_mode ' +
    'irqentry_exit_to_user_mode do_syscall_64 __do_fast_syscall_32 kthread kthread_exit kthread_complete_and_exit ' +
    '__module_put_and_kthread_exit call_usermodehelper_exec_async ret_from_fork'
  ).split(' '),
);

/** Those of the functions in which a dying task may stay unseen. */
export function onExitPath(functions: readonly string[]): string[] {
  return functions.filter((name) => last.has(name));
}

/** The same for a loaded module, whose livepatch may be gone from sysfs: from its symbols. */
export function exitPathOfModule(roots: HostRoots, module: string): string[] {
  const tail = `\t[${module}]`;
  const lines = (readProc(join(roots.proc, 'kallsyms')) ?? '').split('\n').filter((line) => line.endsWith(tail));
  return onExitPath(lines.map((line) => line.slice(0, -tail.length).split(' ')[2] ?? ''));
}

/** Milliseconds after which such a task is gone: it wants a CPU once more, and no lock or answer. */
export const exitGrace = 30_000;
