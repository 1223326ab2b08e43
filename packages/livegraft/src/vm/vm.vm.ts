import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testKernel } from '../testing/test-kernel.ts';
import { evidenceOf, writeEvidence } from '../trial/evidence.ts';
import type { GuestModule } from './guest-modules.ts';
import { runTrial, type TrialOptions } from './run.ts';
import { runInGuest, shareModules } from './shell.ts';
import type { Step } from './trial.ts';

const { release, paths } = await testKernel();
const modulesFolder = paths.modules!;
const kernel = { release, vmlinuz: paths.vmlinuz };

const script = (text: string, more: Partial<Step> = {}): Step =>
  ({ kind: 'script', name: 'test', text, ...more }) as Step;
const trial = (steps: Step[], more: Partial<TrialOptions> = {}) => runTrial({ kernel, trial: { steps }, ...more });
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

/** Modules by their place below kernel/, each needing all before it. */
function modules(...paths: string[]): GuestModule[] {
  return paths.map((path) => {
    const place = join(modulesFolder, 'kernel', path);
    const found = ['.ko', '.ko.xz', '.ko.zst'].map((ending) => place + ending).find(existsSync);
    return { name: basename(path), file: found ?? `${place}.ko` };
  });
}

function qemus(): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      const name = readFileSync(`/proc/${pid}/comm`, 'utf8');
      return Number(parent) === process.pid && state !== 'Z' && /^(qemu|setpriv)/.test(name);
    } catch {
      return false;
    }
  });
}

describe('a stock kernel', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'livegraft-vm-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('boots, and what a script writes comes back byte for byte, with its exit code', async () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const result = await trial([script('cat /all; echo error >&2; exit 3', { need: 'may' })], {
      files: { '/all': all },
    });
    expect(result).toMatchObject({ kind: 'done', passed: true, trialFindings: [] });
    expect(result.steps[0]).toMatchObject({
      outcome: 'failed',
      exitCode: 3,
      cut: false,
      taintBefore: 0n,
      taintAfter: 0n,
    });
    expect(Buffer.from(result.steps[0]!.output)).toEqual(Buffer.concat([all, Buffer.from('error\n')]));
    expect(result.bootSeconds).toBeGreaterThan(0);

    const path = join(folder, 'evidence.json');
    await writeEvidence(path, evidenceOf(result, new Date(0)));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({
      schema: 1,
      verdict: 'passed',
      started: '1970-01-01T00:00:00.000Z',
      kernel: { release },
      steps: [{ number: 1, kind: 'script', outcome: 'failed', exitCode: 3, newTaints: {} }],
    });
  });

  test('a crash is a result: panicked, during which step, with the trace', async () => {
    const result = await trial([
      script('true'),
      script('echo last words; sleep 1.5; echo c >/proc/sysrq-trigger'),
      script('true'),
    ]);
    expect(result).toMatchObject({
      kind: 'panicked',
      passed: false,
      why: 'Kernel panic - not syncing: sysrq triggered crash',
    });
    expect(result.steps.map(({ outcome }) => outcome)).toEqual(['passed', 'unfinished', 'unreached']);
    expect(text(result.steps[1]!.output)).toBe('last words\n');
    const panic = result.trialFindings.find(({ kind }) => kind === 'panic');
    expect(panic?.step).toBe(2);
    expect(panic?.lines.join('\n')).toMatch(/sysrq_handle_crash/);
  });

  test('a script without end is ended; steps that always happen still do', async () => {
    const steps = [
      script('echo here; while :; do :; done', { timeout: 2 }),
      script('true'),
      script('echo last', { when: 'always' }),
    ];
    const result = await trial(steps);
    expect(result).toMatchObject({ kind: 'done', passed: false });
    expect(result.steps.map(({ outcome }) => outcome)).toEqual(['timeout', 'skipped', 'passed']);
    expect(text(result.steps[0]!.output)).toBe('here\n');
  });

  test('a flood of output is cut, not suffered', async () => {
    const result = await trial([script('head -c 3000000 /dev/zero')]);
    expect(result.steps[0]).toMatchObject({ outcome: 'passed', cut: true });
    expect(result.steps[0]!.output.length).toBe(1 << 20);
  });

  test('a guest that gives no sign of life is hung, and says where', async () => {
    // The cgroup freezer stops even the agent; the kernel itself lives on, idle.
    const freeze =
      'mkdir /cg; mount -t cgroup2 cg /cg; mkdir /cg/ice; echo 1 >/cg/ice/cgroup.procs; echo 1 >/cg/ice/cgroup.freeze';
    const result = await trial([script(`${freeze}; sleep 1000`)], { silence: 6 });
    expect(result).toMatchObject({ kind: 'hung', why: 'no sign of life for 6 s' });
    expect(result.steps[0]).toMatchObject({ outcome: 'unfinished' });
    expect(result.console).toMatch(/NMI: Not continuing[\s\S]*do_idle/);
  });

  test('a guest that switches itself off is lost', async () => {
    expect(await trial([script('poweroff -f')])).toMatchObject({ kind: 'lost' });
  });

  test('a module that does not exist, and one that is no livepatch, fail with what the kernel tools say', async () => {
    const [crc16] = modules('lib/crc16');
    const result = await trial(
      [
        { kind: 'modprobe', module: 'nothing', need: 'may' },
        { kind: 'load', patch: 'crc16', need: 'may' },
        { kind: 'rmmod', module: 'crc16' },
      ],
      { bundles: { crc16: crc16!.file! } },
    );
    expect(result.steps.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'passed']);
    expect(text(result.steps[0]!.output)).toMatch(/nothing/);
    expect(text(result.steps[1]!.output)).toMatch(/no livepatch/);
  });

  test('an abort ends it at once and leaves no process', async () => {
    const abort = new AbortController();
    const run = trial([script('sleep 100')], {
      signal: abort.signal,
      onConsole: () => abort.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
    expect(qemus()).toEqual([]);
  });

  test("the host's folders are there, read-only underneath; streams and exit code come back", async () => {
    const written = join(folder, 'written');
    writeFileSync(join(folder, 'seen'), 'from the host\n');
    const sink = () => {
      const stream = new PassThrough();
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      return { stream, text: () => Buffer.concat(chunks).toString() };
    };
    const out = sink();
    const err = sink();
    const { exitCode } = await runInGuest(
      {
        kernel,
        share: '/',
        cwd: folder,
        load: shareModules,
        modules: modules(
          ...['virtio_ring', 'virtio', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci'].map(
            (name) => `drivers/virtio/${name}`,
          ),
          ...[
            'fs/netfs/netfs',
            'fs/fscache/fscache',
            'net/9p/9pnet',
            'net/9p/9pnet_virtio',
            'fs/9p/9p',
            'fs/overlayfs/overlay',
          ],
        ),
      },
      ['sh', '-c', 'cat seen; uname -r >&2; echo x >written && cat written; exit 7'],
      { stdout: out.stream, stderr: err.stream },
    );
    expect([out.text(), err.text(), exitCode]).toEqual(['from the host\nx\n', `${release}\n`, 7]);
    expect(existsSync(written)).toBe(false);
  });

  test.skipIf(release !== '6.1.0-55-amd64')('the ext4 regression of 6.1.0-55 is caught in the act', async () => {
    const image = join(folder, 'disk.img');
    writeFileSync(image, new Uint8Array(32 << 20));
    execFileSync('mkfs.ext4', ['-q', image], { env: { PATH: '/sbin:/usr/sbin:/bin:/usr/bin' } });
    const result = await trial(
      [
        { kind: 'modprobe', module: 'ext4' },
        script(
          'set -e; mount -o loop /disk.img /mnt; echo hello >/mnt/a; sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/zero of=/mnt/b bs=64k count=16; sync',
        ),
      ],
      {
        files: { '/disk.img': image },
        modules: modules(
          'lib/crc16',
          'crypto/crc32c_generic',
          'fs/mbcache',
          'fs/jbd2/jbd2',
          'drivers/block/loop',
          'fs/ext4/ext4',
        ),
      },
    );
    expect(result).toMatchObject({
      kind: 'panicked',
      why: 'BUG: kernel NULL pointer dereference in ext4_mb_load_buddy_gfp+0xbc/0x380 [ext4]',
    });
    expect(result.steps.map(({ outcome }) => outcome)).toEqual(['passed', 'unfinished']);
  });
});
