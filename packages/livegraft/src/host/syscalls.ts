/**
 * What a system call does when its sleep is cut short without a signal to deliver: most are restarted by the kernel and never return
 * (-ERESTARTSYS, -ERESTARTNOHAND, -ERESTARTNOINTR, -ERESTART_RESTARTBLOCK: arch/x86/kernel/signal.c, arch_do_signal_or_restart);
 * some return EINTR or what they have so far (signal(7), "Interruption of system calls … by stop signals"). Only for x86-64.
 */
import type { HostRoots } from './roots.ts';
import { readProc } from './tasks.ts';

export interface SystemCall {
  readonly name: string;
  /**
   * `restarts`: the program cannot notice. `returns`: it returns EINTR. `partial`: it may return less than was asked for.
   * `depends`: on what cannot be seen from outside.
   */
  readonly cutShort: 'restarts' | 'returns' | 'partial' | 'depends';
  /** Why it is not `restarts`. */
  readonly because?: string;
}

const socket = 'a socket with a receive timeout returns EINTR, and whether it has one cannot be seen';
const wrote = 'what was written so far would be returned';
const none = 'it returns EINTR, as after SIGSTOP and SIGCONT';

const calls = new Map<number, SystemCall>();
const add = (cutShort: SystemCall['cutShort'], because: string | undefined, list: Record<string, number>): void => {
  for (const [name, number] of Object.entries(list))
    calls.set(number, { name, cutShort, ...(because === undefined ? {} : { because }) });
};

// arch/x86/entry/syscalls/syscall_64.tbl
add('restarts', undefined, {
  ...{ poll: 7, select: 23, pause: 34, nanosleep: 35, wait4: 61, fcntl: 72, flock: 73, rt_sigsuspend: 130 },
  ...{ futex: 202, restart_syscall: 219, clock_nanosleep: 230, waitid: 247, pselect6: 270, ppoll: 271 },
});
add('depends', socket, { accept: 43, recvfrom: 45, recvmsg: 47, accept4: 288, recvmmsg: 299 });
add('depends', 'what its file does then is not known', { read: 0, readv: 19, pread64: 17, preadv: 295, preadv2: 327 });
add('depends', 'what its device does then is not known (qemu-nbd lost its device so)', { ioctl: 16 });
add('partial', wrote, { write: 1, writev: 20, pwrite64: 18, pwritev: 296, pwritev2: 328 });
add('partial', wrote, { sendfile: 40, sendto: 44, sendmsg: 46, splice: 275, sendmmsg: 307, copy_file_range: 326 });
add('returns', none, { semop: 65, semtimedop: 220, msgsnd: 69, msgrcv: 70, rt_sigtimedwait: 128, io_getevents: 208 });
add('returns', none, { connect: 42, epoll_wait: 232, epoll_pwait: 281, epoll_pwait2: 441, io_uring_enter: 426 });

/** MSG_WAITALL */
const waitAll = 0x100;

/** /proc/TID/syscall: number and arguments, then the stack pointer and the place; `running` while it runs, -1 outside of a call. */
export function parseSystemCall(
  text: string,
): { readonly number: number; readonly args: readonly bigint[] } | undefined {
  const [number, ...rest] = text.trim().split(' ');
  if (number === undefined || !/^\d+$/.test(number)) return undefined;
  return {
    number: Number(number),
    args: rest
      .filter((word) => /^0x[\da-f]+$/.test(word))
      .slice(0, 6)
      .map(BigInt),
  };
}

/** The system call that a task sleeps in; undefined when it is in none, or in one that is not known here. */
export function sleepsIn(roots: HostRoots, pid: number, tid: number): SystemCall | undefined {
  if (process.arch !== 'x64') return undefined;
  const folder = `${roots.proc}/${pid}/task/${tid}`;
  const call = parseSystemCall(readProc(`${folder}/syscall`) ?? '');
  const known = call === undefined ? undefined : calls.get(call.number);
  if (known === undefined || call === undefined) return undefined;
  if (known.name === 'recvfrom' && (Number(call.args[3] ?? 0n) & waitAll) !== 0)
    return { name: known.name, cutShort: 'partial', because: 'MSG_WAITALL: what came so far would be returned' };
  return known;
}

/** A `read` that is cut short is restarted where its file is a pipe or a terminal: by the function that it sleeps in. */
export function restartsIn(call: SystemCall, functions: readonly string[]): boolean {
  if (call.cutShort === 'restarts') return true;
  return /^p?read/.test(call.name) && functions.some((name) => name === 'pipe_read' || name === 'n_tty_read');
}
