import { expect, test } from 'vitest';
import { type Diagnostic, Exit } from '../diagnostics/diagnostic.ts';
import { showDiagnostics } from './show-diagnostic.ts';
import type { Style } from './style.ts';

const plain: Style = (_, text) => text;
const line = '  not replaced, and naming it: isalarm, timerfd_triggered';
const diagnostic: Diagnostic = { code: 'a-code', severity: 'error', exit: Exit.refused, message: `It is so\n${line}` };

function shown(columns?: number): string {
  let text = '';
  showDiagnostics([diagnostic], { columns: columns!, write: (more) => (text += more) }, plain, false);
  return text;
}

test('showDiagnostics: a line that is laid out is broken at its spaces on a terminal, and stays whole elsewhere', () => {
  expect(shown(40)).toBe(
    'error[a-code]\n  It is so\n    not replaced, and naming it:\n        isalarm, timerfd_triggered\n',
  );
  expect(shown()).toBe(`error[a-code]\n  It is so\n  ${line}\n`);
});
