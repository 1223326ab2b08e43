/** For people, what the kernel that runs here adds to a review. */
import type { Running } from '../live/running.ts';
import { plural } from '../support/plural.ts';
import type { Session } from './command.ts';
import { heldText } from './show-blockers.ts';
import { formatDiagnostic } from './show-diagnostic.ts';
import { fold, wrap } from './text.ts';

type Screen = Pick<Session, 'print' | 'style' | 'verbose' | 'columns'>;

export function showRunning(running: Running, { print, style, verbose, columns }: Screen): void {
  const { release, tasks, findings, blockers } = running;
  const width = Math.min(columns, 120);
  print(`\n${style('bold', fold(`The kernel that runs here, ${release}`, width))}`);
  // the tasks are told one by one below
  for (const finding of findings.filter(({ code }) => code !== 'function-occupied'))
    print(`\n${formatDiagnostic(finding, width, style)}`);
  print('');
  const all = plural(tasks, 'task');
  if (blockers.length === 0) print(wrap(`None of ${all} would hold a transition back now`, width));
  else {
    const head = `${blockers.length} of ${all} would hold a transition back now`;
    print(heldText(style('yellow', wrap(head, width)), running, style, verbose));
  }
  print(`\n${style('dim', wrap(limits, width))}`);
}

const limits =
  'Seen in one look; who runs at that moment shows no stack. How often the functions are called is not measured: that would take tracing';
