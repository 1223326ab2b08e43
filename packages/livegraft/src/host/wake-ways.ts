/** The ways to cut a sleep short: each wakes the tasks it is given, if they still hold the transition back, and says what went wrong. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { tryRun } from '../support/exec.ts';
import { cgroupOf, cgroupRoot } from './cgroups.ts';
import type { HostRoots } from './roots.ts';
import type { Task } from './tasks.ts';

/**
 * `ptrace`: seized, interrupted, let go (PTRACE_SEIZE and PTRACE_INTERRUPT: no SIGSTOP, no SIGCHLD); ends by itself if livegraft is killed in between.
 * `freeze`: frozen and thawed in a cgroup of its own, for a moment. `continue`: SIGCONT, for a stopped process.
 */
export type WakeMethod = 'ptrace' | 'freeze' | 'continue';

/** The one that leaves the fewest traces, of those that this machine has. */
export function usualMethod(): WakeMethod {
  return process.arch === 'x64' && hasPerl() ? 'ptrace' : 'freeze';
}

function hasPerl(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, 'perl'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Each returns what went wrong, by task. */
type Way = (
  roots: HostRoots,
  tasks: readonly Task[],
  /** The side that they are to move to. */
  target: 0 | 1,
  signal: AbortSignal | undefined,
) => Promise<Map<number, string>>;

export const ways: Readonly<Record<WakeMethod, Way>> = {
  ptrace: byPtrace,
  freeze: (roots, tasks) => Promise.resolve(new Map(tasks.flatMap((task) => byFreezing(roots, task)))),
  continue: (_, tasks) => Promise.resolve(new Map(tasks.flatMap(byContinuing))),
};

/**
 * Perl is on every Debian (perl-base is Essential), and can make system calls, which Node cannot. Arguments: the side that tasks move to, then
 * TID:START. Who has moved or is another by now is not touched. A tracer that dies lets go of its tasks. They are waited for with __WALL, for
 * threads, and not for ever: a task that sleeps uninterruptibly does not stop. One that stops for a signal of somebody else gets that signal.
 * Numbers of x86-64: ptrace is 101; SEIZE 0x4206, INTERRUPT 0x4207, DETACH 17.
 */
const tracer = `
use POSIX ":sys_wait_h"; $| = 1;
sub text { open(my $file, "<", $_[0]) or return ""; local $/; my $text = <$file>; $text // "" }
my ($target, @all) = @ARGV;
while (my @some = splice @all, 0, 64) {
  my %held;
  for (@some) {
    my ($tid, $start) = map { $_ + 0 } split /:/;
    my @fields = split / /, (text("/proc/$tid/stat") =~ /.*[)] (.*)/s)[0] // "";
    next unless @fields > 19 && $fields[19] == $start && text("/proc/$tid/patch_state") =~ /^[01]$/m && $& != $target;
    if (syscall(101, 0x4206, $tid, 0, 0) < 0) { print "$tid seize: $!\n"; next }
    if (syscall(101, 0x4207, $tid, 0, 0) < 0) { print "$tid interrupt: $!\n"; next }
    $held{$tid} = 1;
  }
  for (my $tries = 0; %held && $tries < 400;) {
    my $tid = waitpid(-1, 0x40000000 | WNOHANG);
    if ($tid <= 0) { $tries++; select undef, undef, undef, 0.0025; next }
    my $status = \${^CHILD_ERROR_NATIVE};
    delete $held{$tid};
    next if ($status & 0xff) != 0x7f;
    my $signal = $status >> 16 ? 0 : $status >> 8 & 0xff;
    syscall(101, 17, $tid, 0, $signal);
  }
  print "$_ it did not react within a second\n" for keys %held;
}`;

async function byPtrace(
  _: HostRoots,
  tasks: readonly Task[],
  target: 0 | 1,
  signal: AbortSignal | undefined,
): Promise<Map<number, string>> {
  if (process.arch !== 'x64')
    return new Map(tasks.map(({ tid }) => [tid, 'this way is for x86-64: try --method freeze']));
  if (!hasPerl()) return new Map(tasks.map(({ tid }) => [tid, 'there is no perl: try --method freeze']));
  const words = tasks.map(({ tid, startTime }) => `${tid}:${startTime}`);
  const { exitCode, stdout, stderr } = await tryRun('perl', ['-e', tracer, String(target), ...words], {
    ...(signal === undefined ? {} : { signal }),
  });
  const troubles = new Map<number, string>();
  for (const [, tid, what] of stdout.matchAll(/^(\d+) (.*)$/gm)) troubles.set(Number(tid), ptraceTrouble(what!));
  if (exitCode !== 0) for (const { tid } of tasks) troubles.set(tid, `perl ended with ${exitCode}: ${stderr.trim()}`);
  return troubles;
}

function ptraceTrouble(what: string): string {
  return what.includes('not permitted') ? `${what}: another debugger holds it, or kernel.yama.ptrace_scope is 3` : what;
}

const prefix = 'livegraft-wake-';

/**
 * A threaded cgroup below the task's own has no controllers: nothing is accounted or limited otherwise while the task is in it. Between the two
 * writes lies nothing that waits; should livegraft die there, `thawLeftovers` finds the cgroup.
 */
function byFreezing(roots: HostRoots, { pid, tid }: Task): [number, string][] {
  const root = cgroupRoot(roots);
  const own = cgroupOf(roots, pid, tid);
  if (root === undefined || own === undefined) return [[tid, 'there is no cgroup v2 hierarchy']];
  if (own === '/') return [[tid, 'it is in the root cgroup, which cannot be frozen']];
  const home = join(root, own);
  const cell = join(home, `${prefix}${tid}`);
  try {
    mkdirSync(cell);
    try {
      writeFileSync(join(cell, 'cgroup.type'), 'threaded');
      writeFileSync(join(cell, 'cgroup.threads'), String(tid));
      writeFileSync(join(cell, 'cgroup.freeze'), '1');
    } finally {
      empty(cell);
    }
    return [];
  } catch (error) {
    return [[tid, `cgroup ${cell}: ${(error as Error).message}`]];
  }
}

/** Thaws a cgroup of ours, moves its tasks back up and removes it. */
function empty(cell: string): void {
  writeFileSync(join(cell, 'cgroup.freeze'), '0');
  // one that ends just now can no longer be moved, and is out of it a moment later
  for (let tries = 0; ; tries++) {
    try {
      for (const tid of readFileSync(join(cell, 'cgroup.threads'), 'latin1').split('\n').filter(Boolean))
        writeFileSync(join(dirname(cell), 'cgroup.threads'), tid);
      rmdirSync(cell);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync(cell)) return;
      if (tries === 20) throw error;
      Atomics.wait(pause, 0, 0, 5);
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Frees what a livegraft that was killed left frozen; returns the cgroups. */
export function thawLeftovers(roots: HostRoots): string[] {
  const root = cgroupRoot(roots);
  if (root === undefined) return [];
  return cellsBelow(root).filter((cell) => {
    try {
      empty(cell);
      return true;
    } catch {
      // whose it was is just thawing it himself
      return false;
    }
  });
}

function cellsBelow(folder: string): string[] {
  return folders(folder).flatMap((name) => {
    const path = join(folder, name);
    return name.startsWith(prefix) ? [path] : cellsBelow(path);
  });
}

/** Cgroups come and go while they are walked. */
function folders(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}

function byContinuing({ pid, tid }: Task): [number, string][] {
  try {
    process.kill(pid, 'SIGCONT');
    return [];
  } catch (error) {
    return [[tid, (error as Error).message]];
  }
}
