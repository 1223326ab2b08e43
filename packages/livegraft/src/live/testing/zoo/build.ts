/** What the zoo of blockers needs in its guest: a livepatch of functions that tasks stay in, the animals, and a module with kernel threads. */
import { execFileSync } from 'node:child_process';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kbuildArguments } from '../../../kernel/prepare.ts';
import { toolchainOf } from '../../../kernel/toolchain.ts';
import type { Kernel } from '../../../kernel/types.ts';
import { livegraft } from '../../../testing/program.ts';
import { type Edits, sourcePatch } from '../../../testing/source-patch.ts';

export const patchName = 'livegraft_zoo';

/** The patched functions, by what sleeps in them: pipes, terminals, polls, sleeps, locks, vfork, stopped tasks, sockets, semaphores, asynchronous I/O. */
const edits: Edits = {
  'fs/pipe.c': [
    '\tret = 0;\n\t__pipe_lock(pipe);\n',
    '\tpr_info_once("zoo: pipe_read\\n");\n\tret = 0;\n\t__pipe_lock(pipe);\n',
  ],
  'drivers/tty/n_tty.c': ['\tsize_t old_tail;\n', '\tsize_t old_tail;\n\n\tpr_info_once("zoo: n_tty_read\\n");\n'],
  'fs/select.c': [
    ' \tunsigned long todo = nfds;\n\n\tif (nfds',
    ' \tunsigned long todo = nfds;\n\n\tpr_info_once("zoo: do_sys_poll\\n");\n\tif (nfds',
  ],
  'fs/eventpoll.c': [
    '\tlockdep_assert_irqs_enabled();\n\n\tif (timeout && (timeout->tv_sec',
    '\tlockdep_assert_irqs_enabled();\n\tpr_info_once("zoo: ep_poll\\n");\n\n\tif (timeout && (timeout->tv_sec',
  ],
  'fs/aio.c': [
    '\tstruct kioctx *ioctx = lookup_ioctx(ctx_id);\n\tlong ret = -EINVAL;\n\n\tif (likely(ioctx)) {\n\t\tif (likely(min_nr <= nr',
    '\tstruct kioctx *ioctx = lookup_ioctx(ctx_id);\n\tlong ret = -EINVAL;\n\n\tpr_info_once("zoo: do_io_getevents\\n");\n\tif (likely(ioctx)) {\n\t\tif (likely(min_nr <= nr',
  ],
  'kernel/time/hrtimer.c': [
    '\tint ret = 0;\n\n\thrtimer_init_sleeper_on_stack(&t, clockid, mode);\n',
    '\tint ret = 0;\n\n\tpr_info_once("zoo: hrtimer_nanosleep\\n");\n\thrtimer_init_sleeper_on_stack(&t, clockid, mode);\n',
  ],
  'kernel/futex/waitwake.c': [
    '\tint ret;\n\n\tif (!bitset)\n\t\treturn -EINVAL;\n\tq.bitset = bitset;\n\n\tto =',
    '\tint ret;\n\n\tpr_info_once("zoo: futex_wait\\n");\n\tif (!bitset)\n\t\treturn -EINVAL;\n\tq.bitset = bitset;\n\n\tto =',
  ],
  'kernel/fork.c': [
    '\tint trace = 0;\n\tpid_t nr;\n',
    '\tint trace = 0;\n\tpid_t nr;\n\n\tpr_info_once("zoo: kernel_clone\\n");\n',
  ],
  'kernel/signal.c': [
    '\tint signr;\n\n\tclear_notify_signal();\n',
    '\tint signr;\n\n\tpr_info_once("zoo: get_signal\\n");\n\tclear_notify_signal();\n',
  ],
  'ipc/sem.c': [
    '\tif (nsops < 1 || semid < 0)\n\t\treturn -EINVAL;\n\tif (nsops > ns->sc_semopm)',
    '\tpr_info_once("zoo: __do_semtimedop\\n");\n\tif (nsops < 1 || semid < 0)\n\t\treturn -EINVAL;\n\tif (nsops > ns->sc_semopm)',
  ],
  'net/unix/af_unix.c': [
    '\tsize_t size = state->size;\n\tunsigned int last_len;\n\n\tif (unlikely(READ_ONCE',
    '\tsize_t size = state->size;\n\tunsigned int last_len;\n\n\tpr_info_once("zoo: unix_stream_read_generic\\n");\n\tif (unlikely(READ_ONCE',
  ],
  'net/ipv4/inet_connection_sock.c': [
    '\tint error;\n\n\tlock_sock(sk);\n\n\t/* We need to make sure that this socket is listening,',
    '\tint error;\n\n\tpr_info_once("zoo: inet_csk_accept\\n");\n\tlock_sock(sk);\n\n\t/* We need to make sure that this socket is listening,',
  ],
};

const here = fileURLToPath(new URL('.', import.meta.url));

/** Where the scripts for the guest are. */
export const scripts: string = here;

/** Leaves in `folder`: the bundle `livegraft_zoo`, the program `animals`, the modules `zoo.ko` and `zoo_patch.ko`. */
export async function buildZoo(kernel: Kernel, folder: string): Promise<void> {
  const patch = join(folder, 'zoo.patch');
  writeFileSync(patch, sourcePatch(kernel, edits), 'latin1');
  const built = await livegraft([
    'build',
    patch,
    '--kernel',
    kernel.name,
    '-o',
    folder,
    '--name',
    patchName,
    '--quiet',
  ]);
  if (built.exit !== 0) throw new Error(built.stderr);
  buildAnimals(kernel, folder);
}

export function buildAnimals(kernel: Kernel, folder: string): void {
  const compiler = { stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'] };
  execFileSync(
    'gcc',
    ['-O2', '-Wall', '-static', '-pthread', '-o', join(folder, 'animals'), join(here, 'animals.c')],
    compiler,
  );
  const modules = join(folder, 'modules');
  cpSync(join(here, 'modules'), modules, { recursive: true });
  // kbuild writes into a copy of the build tree: the cache's own belongs to builds
  const build = join(folder, 'build');
  execFileSync('cp', ['-a', '--reflink=auto', kernel.paths.build, build]);
  const words = kbuildArguments({ ...kernel.paths, build }, kernel.release, toolchainOf(kernel.facts));
  execFileSync('make', ['-s', ...words, `M=${modules}`, 'modules'], compiler);
  for (const name of ['zoo', 'zoo_patch']) cpSync(join(modules, `${name}.ko`), join(folder, `${name}.ko`));
}
