import { expect, test } from 'vitest';
import {
  type FakeHost,
  fakeHost,
  kernelId,
  livepatchFiles,
  moduleFiles,
  moduleLine,
  taskFiles,
} from '../host/testing/fake-host.ts';
import { writeLivegraftNote } from '../support/livegraft-note.ts';
import { metricsText } from './metrics.ts';
import { readStanding } from './standing.ts';
import { readStatus } from './status.ts';

let host: FakeHost;

async function text(): Promise<string> {
  return metricsText(await readStatus(host.roots, true), await readStanding(host.roots), 1_795_000_000.5);
}

/** Lines that are neither help nor type. */
async function values(): Promise<string[]> {
  return (await text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

test('nothing loaded: zeros, so that rules have something to compare', async () => {
  host = fakeHost();
  expect(await values()).toEqual([
    'livegraft_quarantined 0',
    'livegraft_transition_in_progress 0',
    'livegraft_transition_tasks_left{reason="unknown"} 0',
    'livegraft_modules_left 0',
    'livegraft_scrape_timestamp_seconds 1795000000',
  ]);
});

test('an active livepatch, one in transition with a stopped task, a module left', async () => {
  host = fakeHost({
    ...livepatchFiles('first', ['vmlinux/f,1', 'vmlinux/g,1'], { id: 'aa'.repeat(20) }),
    ...livepatchFiles('second', ['vmlinux/f,1'], { transition: 1 }),
    'sys/module/first/notes/.note.livegraft': writeLivegraftNote({
      schema: 1,
      name: 'first',
      livegraft: '0.1.0',
      kernel: kernelId,
      replace: false,
      cves: ['CVE-2026-1', 'CVE-2026-2'],
      patches: [],
      states: [],
    }),
    ...moduleFiles('left', 'bb'.repeat(20), 'OEK'),
    'proc/modules': moduleLine('second') + moduleLine('first') + moduleLine('left'),
    ...taskFiles(207, 'cat', 0),
  });
  const found = await values();
  expect(found).toEqual(
    expect.arrayContaining([
      `livegraft_livepatch_info{name="first",build_id="${'aa'.repeat(20)}",release="6.1.0-55-amd64",kernel_build_id="210cfeaa36862392f72c64cd5b63aa31dd0445c2"} 1`,
      'livegraft_livepatch_active{name="first"} 1',
      'livegraft_livepatch_active{name="second"} 0',
      'livegraft_livepatch_functions{name="first",runs="own"} 1',
      'livegraft_livepatch_functions{name="first",runs="newer"} 1',
      'livegraft_cve_fixed{cve="CVE-2026-1",name="first"} 1',
      'livegraft_cve_fixed{cve="CVE-2026-2",name="first"} 1',
      'livegraft_transition_in_progress 1',
      'livegraft_modules_left 1',
    ]),
  );
  const left = found.filter((line) => line.startsWith('livegraft_transition_tasks_left'));
  expect(left.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)).toBe(1);
});
