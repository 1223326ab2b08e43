/** What a person sees: on terminals of several widths, without colours, and where there is no terminal. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileProgram, livegraft, type Ran } from '../testing/program.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
let good = '';
let bad = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-terminal-'));
  [good, bad] = [join(dir, 'good.patch'), join(dir, 'bad.patch')];
  const text = sourcePatch(kernel, { 'fs/proc/cmdline.c': ["seq_putc(m, '\\n');", 'seq_puts(m, " x\\n");'] });
  await writeFile(good, text);
  await writeFile(bad, text.replace('saved_command_line', 'other_command_line'));
  await compileProgram();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** On a terminal of so many columns, which `script` of util-linux makes. */
function onTerminal(columns: number, patch: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const within = ['sh', '-c', `script -qec "stty cols ${columns}; $(printf '%s ' "$@")" /dev/null`, 'sh'];
  const args = ['build', patch, '--kernel', kernel.name, '-o', join(dir, 'out')];
  return livegraft(args, { within, env: { TERM: 'xterm', ...env } });
}

/** What the screen shows in the end, broken where the program left that to the terminal. */
function screen(output: string, columns: number): string[] {
  const lines: string[] = [''];
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's language
  for (const [token] of output.matchAll(/\x1b\[[\d;?]*[A-Za-z]|[\s\S]/gu)) {
    const last = lines.length - 1;
    if (token === '\r') column = 0;
    else if (token === '\n') lines.push('');
    else if (token === '\x1b[2K') lines[last] = '';
    else if (!token.startsWith('\x1b')) {
      if (column === columns) {
        column = 0;
        lines.push('');
      }
      const line = lines.at(-1)!;
      lines[lines.length - 1] = line.slice(0, column).padEnd(column) + token + line.slice(column + 1);
      column++;
    }
  }
  return lines.map((line) => line.trimEnd());
}

describe('a terminal', () => {
  test.each([40, 80, 200])(
    'of %i columns: nothing is left of the moving line, no line is broken by the terminal',
    async (columns) => {
      const ran = await onTerminal(columns, good);
      expect(ran.exit).toBe(0);
      const lines = screen(ran.stdout, columns);
      const steps = lines.findIndex((line) => line.startsWith('1 function replaced'));
      expect(steps).toBeGreaterThan(5);
      for (const line of lines.slice(0, steps)) expect(line).toMatch(/^✓ \S.*[^ ]$/);
      expect(lines.join('\n')).not.toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
      // but for words that are longer than the terminal is wide
      for (const line of lines) expect(line.length <= columns || !line.trim().includes(' ')).toBe(true);
    },
  );

  test('without colours where NO_COLOR asks for it; without any control where TERM is dumb', async () => {
    const plain = await onTerminal(80, bad, { NO_COLOR: '1' });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal's language
    expect(plain.stdout).not.toMatch(/\x1b\[[\d;]*m/);
    expect(screen(plain.stdout, 80).join('\n')).toMatch(/✗ Apply the patch(.|\n)*error\[hunk-fails\]/);
    const dumb = await onTerminal(80, bad, { TERM: 'dumb' });
    expect(dumb.stdout).not.toContain('\x1b');
    expect(dumb.stdout).toMatch(/^Apply the patch to the source\r\nerror\[hunk-fails\]/);
  });
});

test('no terminal: plain lines, the result on stdout, the rest on stderr', async () => {
  const ran = await livegraft(['build', good, '--kernel', kernel.name, '-o', join(dir, 'out')], {
    env: { TERM: 'xterm' },
  });
  expect(ran.stdout + ran.stderr).not.toContain('\x1b');
  expect(ran.stdout).toMatch(/^1 function replaced in vmlinux:\n/);
  expect(ran.stderr).toMatch(/^Apply the patch to the source\nAsk kbuild/);
});

test('a patch that brings nothing but a callback: no list, and the callback by name', async () => {
  const patch = join(dir, 'callback.patch');
  const after = '#include <linux/seq_file.h>';
  const callback = `#include <livegraft.h>
static int say_hello(struct klp_object *object) { return 0; }
LIVEGRAFT_PRE_PATCH(say_hello);`;
  await writeFile(patch, sourcePatch(kernel, { 'fs/proc/cmdline.c': [after, `${after}\n${callback}`] }));
  const ran = await livegraft(['build', patch, '--kernel', kernel.name, '-o', join(dir, 'out')]);
  expect(ran.stdout).toMatch(/^No function replaced in vmlinux\nNew: say_hello .*\nCallback: pre_patch say_hello\n/);
});
