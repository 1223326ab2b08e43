import { describe, expect, test } from 'vitest';
import { LivegraftError } from '../diagnostics/diagnostic.ts';
import { TrialRecord } from './record.ts';
import { lifeOf, plan, planText, reload, type Step } from './trial.ts';

describe('plan', () => {
  test('fills in what is open, and the text has one line a step', () => {
    const steps: Step[] = [
      { kind: 'script', name: 'before', text: 'exit 3', need: 'may', timeout: 7 },
      ...lifeOf('fix', reload('ext4')),
      { kind: 'mark', name: 'odd; $(words)*' },
    ];
    expect(planText(plan({ steps }))).toBe(
      [
        '1 script ok may 7',
        '2 load ok must 120 fix',
        '3 rmmod ok must 30 ext4',
        '4 modprobe ok must 60 ext4',
        '5 revert always must 120 fix',
        '6 unload always must 30 fix',
        '7 mark ok must 10 odd_ __words__',
        '',
      ].join('\n'),
    );
  });

  test.each<[Step, string]>([
    [{ kind: 'load', patch: 'a b' }, 'Step 1 of the trial has name "a b"'],
    [{ kind: 'modprobe', module: '$(reboot)' }, 'Step 1 of the trial has name "$(reboot)"'],
    [{ kind: 'insmod', path: 'x.ko' }, 'Step 1 of the trial has path "x.ko"'],
    [{ kind: 'mark', name: 'x', timeout: 0.5 }, 'Step 1 of the trial has timeout "0.5"'],
  ])('%j is refused', (step, message) => {
    expect(() => plan({ steps: [step] })).toThrow(LivegraftError);
    expect(() => plan({ steps: [step] })).toThrow(message);
  });
});

describe('TrialRecord', () => {
  test('gathers outcomes, output, and samples with their blockers', () => {
    const record = new TrialRecord(
      plan({
        steps: [
          { kind: 'load', patch: 'p' },
          { kind: 'mark', name: 'm' },
          { kind: 'mark', name: 'n' },
        ],
      }),
    );
    record.take({ kind: 'begin', uptime: 10, step: 1, taint: 0n });
    record.take({ kind: 'output', uptime: 10, step: 1, bytes: Buffer.from('a') });
    record.take({ kind: 'blocker', uptime: 10.2, step: 1, tid: 5, state: 'S', comm: 'getty' });
    record.take({ kind: 'stack', uptime: 10.2, step: 1, tid: 5, frame: 'f+0x1/0x2' });
    record.take({ kind: 'sample', uptime: 10.25, step: 1, inTransition: true, left: 1, tasks: 40 });
    record.take({ kind: 'sample', uptime: 11, step: 1, inTransition: false, left: 0, tasks: 40 });
    record.take({ kind: 'output', uptime: 11, step: 1, bytes: Buffer.from('b') });
    record.take({ kind: 'end', uptime: 11.5, step: 1, status: '0', taint: 32768n });
    record.take({ kind: 'begin', uptime: 12, step: 2, taint: 32768n });
    record.take({ kind: 'end', uptime: 12, step: 99, status: '0', taint: 0n });
    const [load, second, third] = record.outcomes();
    expect(load).toMatchObject({
      outcome: 'passed',
      exitCode: 0,
      at: 10,
      seconds: 1.5,
      taintBefore: 0n,
      taintAfter: 32768n,
    });
    expect(Buffer.from(load!.output).toString()).toBe('ab');
    expect(load!.transition).toEqual([
      {
        at: 0.25,
        inTransition: true,
        left: 1,
        tasks: 40,
        blockers: [{ tid: 5, state: 'S', comm: 'getty', stack: ['f+0x1/0x2'] }],
      },
      { at: 1, inTransition: false, left: 0, tasks: 40, blockers: [] },
    ]);
    expect([second!.outcome, third!.outcome]).toEqual(['unfinished', 'unreached']);
  });
});
