/** Who may load what, in a guest where it runs: load and enable under --require-sign-off, and on a machine whose policy asks for it, at boot too. */
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examplePatch } from '../testing/examples.ts';
import { compileProgram, livegraft } from '../testing/program.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { readSaid, type Said, telling } from './testing/said.ts';

const kernel = await testKernel();
const example = examplePatch(kernel, 'proc-meminfo');
let dir = '';
let said: ReadonlyMap<string, Said>;

const script = `${telling}
exec 4>&1 >/tmp/all
mkdir -p /etc/livegraft
run unsigned lg load one --require-sign-off --json
run unsigned-plan lg load one --require-sign-off --plan --json
run unsigned-enable lg enable one --require-sign-off --json
run rejected lg load rejected --require-sign-off --json
run stale lg load stale --require-sign-off --json
run not-asked lg load rejected --dry-run --json

: >/etc/livegraft/require-sign-off
run policy lg load one --json
run signed lg load approved --json
run revert lg revert livegraft_one --json
run enable lg enable approved --json
run copied grep -c '"verdict": "approved"' /var/lib/livegraft/enabled/*/livegraft_one/sign-offs.json

cp signers /etc/livegraft/allowed_signers
run unproved-boot lg boot --json
run waiting lg status --json
run proved lg load by-key --json
run revert-again lg revert livegraft_one --json
rm /etc/livegraft/allowed_signers
run boot lg boot --json
run ran grep RamTotal /proc/meminfo
cat /tmp/all >&4
`;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-sign-off-vm-'));
  await compileProgram();
  const made = await livegraft(['build', example, '--kernel', kernel.name, '-o', dir, '--name', 'livegraft_one']);
  expect(made).toMatchObject({ exit: 0 });
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'key')]);
  execFileSync('sh', ['-c', 'echo "ada@example.org $(cat key.pub)" >signers'], { cwd: dir });
  const by = 'Ada Reader <ada@example.org>';
  const sign = async (name: string, verdict: string, ...more: string[]): Promise<void> => {
    await cp(join(dir, 'livegraft_one'), join(dir, name), { recursive: true });
    const args = ['sign-off', join(dir, name), '--by', by, '--verdict', verdict, '--yes', ...more];
    expect(await livegraft(args)).toMatchObject({ exit: 0 });
  };
  await cp(join(dir, 'livegraft_one'), join(dir, 'one'), { recursive: true });
  await sign('approved', 'approved');
  await sign('rejected', 'rejected', '--comment', 'not on my machines');
  await sign('stale', 'approved');
  await writeFile(join(dir, 'stale/glue.c'), '/* other */\n');
  await sign('by-key', 'approved', '--key', join(dir, 'key'));
  await writeFile(join(dir, 'script.sh'), script);
  const guest = await livegraft(['vm', kernel.name, '--', 'sh', join(dir, 'script.sh')], { cwd: dir });
  said = readSaid(guest.stdout);
  expect([...said.keys()].at(-1), `${guest.stdout}\n${guest.stderr}`).toBe('ran');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function errorsOf(out: string): string[] {
  const { diagnostics } = JSON.parse(out) as { diagnostics: { code: string; severity: string }[] };
  return diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
}

test.each([
  ['unsigned', 'sign-off-missing'],
  ['unsigned-plan', 'sign-off-missing'],
  ['unsigned-enable', 'sign-off-missing'],
  ['rejected', 'sign-off-rejected'],
  ['stale', 'sign-off-stale'],
  ['policy', 'sign-off-missing'],
])('%s: refused with %s', (step, code) => {
  const { exit, out } = said.get(step)!;
  expect(exit, out).toBe(4);
  expect(errorsOf(out)).toEqual([code]);
});

test.each(['not-asked', 'signed', 'revert', 'enable', 'copied', 'proved', 'revert-again', 'boot', 'ran'])(
  '%s: goes well',
  (step) => {
    const { exit, out } = said.get(step)!;
    expect(exit, out).toBe(0);
  },
);

test('boot loads nothing that the policy does not let in, and says why', () => {
  const { exit, out } = said.get('unproved-boot')!;
  expect(exit, out).toBe(4);
  expect(JSON.parse(out).result.booted).toMatchObject([{ name: 'livegraft_one', outcome: 'refused' }]);
  expect(errorsOf(out)).toEqual(['sign-off-unproved']);
  expect(JSON.parse(said.get('waiting')!.out).result.enabled).toMatchObject([{ name: 'livegraft_one', loaded: false }]);
});
