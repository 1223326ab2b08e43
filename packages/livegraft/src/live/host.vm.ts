/** The commands for the running kernel, in a guest where it runs: load, status, list, revert, unload; what is refused; what stalls; Ctrl-C. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examplePatch, pipeReader } from '../testing/examples.ts';
import { compileProgram, livegraft, program } from '../testing/program.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { readSaid, type Said, telling } from './testing/said.ts';

const kernel = await testKernel();
const reader = await pipeReader(kernel);
let dir = '';

let said: ReadonlyMap<string, Said>;

/**
 * What `run` tells comes all at the end,
 * because those who pass it on sleep in pipe_read(), and would move over and then hold a reversal back.
 */
const script = `${telling}
moving() { [ "$(cat /sys/kernel/livepatch/$1/transition)" = 1 ]; }
left() { ls /sys/kernel/livepatch; grep livegraft_ /proc/modules; ls /run/livegraft | grep tmp; true; }
exec 4>&1 >/tmp/all

run wrong-kernel lg load other/livegraft_one --json
run dry-run lg load livegraft_one --dry-run --json
run untouched left
run load lg load livegraft_one --json
run samples cat /tmp/err
run works grep RamTotal /proc/meminfo
run again lg load livegraft_one --json
run status lg status --json
run check lg status livegraft_one --check --quiet
run check-bundle lg status ./livegraft_one --check --quiet
run check-missing lg status livegraft_two --check --quiet
run list lg list
run taken lg load livegraft_two --json
run unload-active lg unload livegraft_one --json
run on-top lg load livegraft_two --on-top --json
run newest grep SumTotal /proc/meminfo
run overridden lg status --check --json
run revert-two lg revert livegraft_two --keep-module --json
run older grep RamTotal /proc/meminfo
run left-module lg list
run reload-left lg load livegraft_two --json
run unload lg unload ./livegraft_two --json
run revert lg revert ./livegraft_one --json
run shipped grep MemTotal /proc/meminfo
run nothing-left left
run watch-nothing lg watch --json

sh -c 'exec 9>/run/lock/livegraft.lock; flock 9; exec sleep 1000' &
wait_for sh -c '! flock -n /run/lock/livegraft.lock true'
run second lg load livegraft_one --json
kill $!

mkfifo /tmp/pipe
sleep 1000 3<>/tmp/pipe &
sh -c 'echo $$ >/tmp/reader; exec cat /tmp/pipe' >/tmp/read &
wait_for sh -c 'grep -q pipe_read /proc/$(cat /tmp/reader)/stack'
run review-occupied lg review livegraft_pipe --running --check --json
run review-free lg review livegraft_one --running --check --json
run stall lg load livegraft_pipe --timeout 3 --on-stall revert --json
run stall-left left

setsid "${process.execPath}" "${program}" load livegraft_pipe >/tmp/out 2>&1 &
loader=$!
wait_for moving livegraft_pipe
sleep 2
kill -INT $loader
run interrupted wait $loader
run interrupted-said cat /tmp/out
run interrupted-left left

# the kernel nudges its sleepers after 15 s, which a slow guest may need for one question
run no-wait lg load livegraft_pipe --no-wait --json
run check-moving lg status --check --json
run turn-back lg revert livegraft_pipe --timeout 60 --json
run no-wait-again lg load livegraft_pipe --no-wait --json
run busy lg load livegraft_one --json
[ ! -e /sys/kernel/livepatch/livegraft_one ] || lg revert livegraft_one --quiet
run turn lg revert livegraft_pipe --timeout 60 --json
run turn-left left

mkdir /tmp/odd
cp livegraft_one/* /tmp/odd
sed -i 's/meminfo_proc_show/meminfo_proc_sh0w/g' /tmp/odd/livegraft_one.ko
sum() { sha256sum "$1" | cut -d ' ' -f 1; }
sed -i "s/$(sum livegraft_one/livegraft_one.ko)/$(sum /tmp/odd/livegraft_one.ko)/" /tmp/odd/manifest.json
run refused lg load /tmp/odd --json
run refused-left left
kill -0 "$(cat /tmp/reader)" && echo hello >/tmp/pipe
wait_for grep hello /tmp/read
run unnoticed cat /tmp/read
cat /tmp/all >&4
`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-host-vm-'));
  await compileProgram();
  const meminfo = examplePatch(kernel, 'proc-meminfo');
  const second = join(dir, 'second.patch');
  await writeFile(
    second,
    (await readFile(meminfo, 'utf8')).replaceAll('+	show_val_kb(m, "Ram', '+	show_val_kb(m, "Sum'),
  );
  const build = async (patch: string, name: string): Promise<void> => {
    const built = await livegraft(['build', patch, '--kernel', kernel.name, '-o', dir, '--name', name]);
    expect(built).toMatchObject({ exit: 0 });
  };
  await build(meminfo, 'livegraft_one');
  await build(second, 'livegraft_two');
  await build(examplePatch(kernel, 'sleeping-reader'), 'livegraft_pipe');
  await cp(join(dir, 'livegraft_one'), join(dir, 'other/livegraft_one'), { recursive: true });
  const manifest = join(dir, 'other/livegraft_one/manifest.json');
  const text = await readFile(manifest, 'utf8');
  await writeFile(manifest, text.replaceAll(kernel.facts.buildId, '11'.repeat(20)));
  await writeFile(join(dir, 'script.sh'), script);
  const guest = await livegraft(['vm', kernel.name, '--', 'sh', join(dir, 'script.sh')], { cwd: dir });
  said = readSaid(guest.stdout);
  expect([...said.keys()].at(-1), `${guest.stdout}\n${guest.stderr}`).toBe('unnoticed');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const exits = (...labels: string[]): (number | undefined)[] => labels.map((label) => said.get(label)?.exit);
const out = (label: string): string | undefined => said.get(label)?.out;
/** What matters of a JSON document: exit code, codes of its diagnostics, its result. */
function json(label: string): { exit: number; codes: string[]; result: Record<string, unknown> } {
  const { exit, result, diagnostics } = JSON.parse(out(label)!);
  expect(exit).toBe(said.get(label)!.exit);
  return { exit, codes: diagnostics.map(({ code }: { code: string }) => code), result };
}

test('a bundle for another kernel is refused, and --dry-run touches nothing', () => {
  expect(json('wrong-kernel')).toMatchObject({ exit: 5, codes: ['bundle-for-other-kernel'] });
  expect(json('dry-run')).toMatchObject({ exit: 0, codes: [], result: { outcome: null } });
  expect(out('untouched')).toBe('');
});

test('load, status, list: what the kernel says', () => {
  expect(json('load')).toMatchObject({ exit: 0, codes: [], result: { outcome: 'active', unloaded: false } });
  expect(out('samples')).toMatch(/"event":"step"/);
  expect(out('works')).toMatch(/RamTotal/);
  expect(json('again')).toMatchObject({ exit: 3, codes: ['already-loaded'] });
  expect(json('status')).toMatchObject({
    exit: 0,
    result: {
      kernel: { release: kernel.release, buildId: kernel.facts.buildId },
      livepatches: [
        {
          name: 'livegraft_one',
          state: 'active',
          objects: [{ name: 'vmlinux', functions: [{ name: 'meminfo_proc_show', position: 1 }] }],
        },
      ],
      leftovers: [],
      transition: null,
    },
  });
  expect(exits('check', 'check-bundle', 'check-missing')).toEqual([0, 0, 1]);
  expect(out('list')).toMatch(/^livegraft_one {2}active +[0-9a-f]{12} {2}1 function in vmlinux\n$/);
});

test('a second livepatch of the same function is refused, or goes on top and is said to', () => {
  expect(json('taken')).toMatchObject({ exit: 7, codes: ['function-taken'] });
  expect(json('on-top')).toMatchObject({ exit: 0, result: { findings: [{ code: 'function-on-top' }] } });
  expect(out('newest')).toMatch(/SumTotal/);
  expect(json('overridden')).toMatchObject({ exit: 1, codes: ['check-failed'] });
  expect(json('revert-two')).toMatchObject({ exit: 0, result: { outcome: 'reverted', unloaded: false } });
  expect(out('older')).toMatch(/RamTotal/);
});

test('revert and unload leave the kernel as it was', () => {
  expect(json('unload-active')).toMatchObject({ exit: 7, codes: ['still-enabled'] });
  expect(out('left-module')).toMatch(/^livegraft_two {2}reverted/m);
  expect(json('reload-left')).toMatchObject({ exit: 7, codes: expect.arrayContaining(['module-left']) });
  expect(json('unload')).toMatchObject({ exit: 0 });
  expect(json('revert')).toMatchObject({ exit: 0, result: { outcome: 'reverted', unloaded: true } });
  expect(out('shipped')).toMatch(/MemTotal/);
  expect(out('nothing-left')).toBe('');
  expect(json('watch-nothing')).toMatchObject({ exit: 0, result: { end: null } });
});

test('review --running: who sleeps in the functions, and what would bring him through; nobody where nobody does', () => {
  const { exit, result } = json('review-occupied');
  expect(exit).toBe(4);
  expect(result).toMatchObject({
    name: 'livegraft_pipe',
    verdict: { state: 'judgement' },
    running: { release: kernel.release, findings: [{ code: 'function-occupied', place: reader }] },
  });
  const { blockers } = result['running'] as { blockers: { task: { comm: string } }[] };
  expect(blockers.find(({ task }) => task.comm === 'cat')).toMatchObject({
    ...{ kind: 'user', reason: 'in-function', text: `sleeps in ${reader}()`, where: { symbol: reader } },
    advice: [
      'wait: the kernel signals it about 15 s after the transition began',
      'wake it now: livegraft wake (read is restarted by the kernel: the program does not notice)',
    ],
  });
  expect(json('review-free')).toMatchObject({
    exit: 0,
    codes: [],
    result: { running: { findings: [], blockers: [] } },
  });
});

test('a transition that stalls is taken back, and nothing is left', () => {
  expect(json('stall')).toMatchObject({
    exit: 6,
    codes: ['transition-stalled'],
    result: {
      outcome: 'reverted',
      unloaded: true,
      transition: { end: 'timeout', side: 1 },
      reversal: { end: 'done', side: 0 },
      findings: [{ code: 'function-occupied' }],
    },
  });
  expect(out('stall-left')).toBe('');
});

test('a second livegraft is busy', () => {
  expect(json('second')).toMatchObject({ exit: 75, codes: ['busy'] });
});

test('Ctrl-C during a transition takes it back', () => {
  expect(exits('interrupted')).toEqual([130]);
  expect(out('interrupted-said')).toMatch(/livegraft_pipe was taken back; nothing of it is left in the kernel/);
  expect(out('interrupted-left')).toBe('');
});

test('a transition that was left to the kernel: seen, in the way of others, turned round', () => {
  expect(json('no-wait')).toMatchObject({ exit: 0, result: { outcome: 'started' } });
  // or the kernel was faster: then it is active
  expect([
    { exit: 6, codes: ['check-moving'] },
    { exit: 0, codes: [] },
  ]).toContainEqual({ exit: json('check-moving').exit, codes: json('check-moving').codes });
  expect(json('turn-back')).toMatchObject({ exit: 0 });
  expect(json('no-wait-again')).toMatchObject({ exit: 0, result: { outcome: 'started' } });
  expect([0, 7]).toContain(json('busy').exit);
  if (json('busy').exit === 7) expect(json('busy').codes).toContain('transition-running');
  expect(json('turn')).toMatchObject({ exit: 0, result: { outcome: 'reverted', unloaded: true } });
  expect(out('turn-left')).toBe('');
});

test('what the kernel refuses is told in its own words', () => {
  const { exit, codes } = json('refused');
  expect({ exit, codes }).toEqual({ exit: 7, codes: ['kernel-refused'] });
  expect(out('refused')).toMatch(/symbol 'meminfo_proc_sh0w' not found/);
  expect(out('refused-left')).toBe('');
});

test('a reader that slept through all of this reads what comes', () => {
  expect(out('unnoticed')).toBe('hello\n');
});
