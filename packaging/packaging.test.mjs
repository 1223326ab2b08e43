// Man pages and completions say all that the command line has, in words that roff and the shells take.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { app } from '../packages/livegraft/src/cli/app.ts';
import { readTree } from './command-tree.mjs';
import { bashCompletion, fishCompletion, zshCompletion } from './completions.mjs';
import { control } from './control.mjs';
import { mainPage, readExitCodes, servicePage } from './man.mjs';

const tree = readTree(app.root);
const exitCodes = readExitCodes(readFileSync(new URL('../docs/exit-codes.md', import.meta.url), 'utf8'));
const facts = { version: '1.2.3', date: '2026-01-02', exitCodes };
const page = mainPage(tree, facts);
const unescaped = page.replaceAll('\\-', '-').replaceAll(/\\f[BIR]/g, '');

test('livegraft(1): every command and every flag', () => {
  expect(tree.commands.length).toBeGreaterThan(15);
  for (const { path, flags } of tree.commands) {
    expect(unescaped).toContain(`.SS livegraft ${path.join(' ')}\n`);
    for (const { name, negated } of flags) expect(unescaped).toContain(negated ? `--[no-]${name}` : `--${name}`);
  }
});

test('livegraft(1): every exit code of docs/exit-codes.md', () => {
  expect(exitCodes.map(([code]) => code)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '75']);
  for (const [code] of exitCodes) expect(unescaped).toContain(`.TP\n${code}\n`);
});

test('man pages: ASCII, no line that roff takes for a request of ours by accident', () => {
  const known = /^\.(?:\\"|TH|SH|SS|PP|TP|HP|PD|B|I|BR|RI|RS|RE|nf|fi|br)\b|^\.\\"/;
  for (const text of [page, servicePage(facts)]) {
    expect(text).toMatch(/^[\n\x20-\x7e]*$/);
    for (const line of text.split('\n')) if (/^[.']/.test(line)) expect(line).toMatch(known);
  }
});

/** What bash offers for the last of these words. */
function offered(...words) {
  const script = `${bashCompletion(tree)}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _livegraft; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['-c', script, '-', 'livegraft', ...words], { encoding: 'utf8', cwd: '/usr' });
  return said.split('\n').filter((word) => word !== '');
}

test('bash: commands, subcommands, flags, values', () => {
  expect(offered('')).toEqual(expect.arrayContaining(['kernel', 'load', 'revert', '--version']));
  expect(offered('rev')).toEqual(['review', 'revert']);
  expect(offered('reve')).toEqual(['revert']);
  expect(offered('kernel', 's')).toEqual(['show']);
  expect(offered('load', '--on-s')).toEqual(['--on-stall']);
  expect(offered('load', '--on-stall', '')).toEqual(['revert', 'keep', 'wait']);
  expect(offered('load', '--on-stall', '=', 'k')).toEqual(['keep']);
  expect(offered('load', 'li')).toEqual(expect.arrayContaining(['lib']));
});

test('bash: a value of a flag is no argument, and behind -- there are no flags', () => {
  expect(offered('vm', '--memory', '512', 'x', '--', '-')).not.toContain('--memory');
  expect(offered('vm', '--memory', '512', 'x', '--', 'ech')).toContain('echo');
});

test('zsh and fish: every command, with its words', () => {
  const zsh = zshCompletion(tree);
  const fish = fishCompletion(tree);
  for (const { path, flags } of tree.commands) {
    expect(fish).toContain(`-a ${path.at(-1)} -d`);
    expect(zsh).toMatch(new RegExp(`^ +'${path.at(-1)}:`, 'm'));
    for (const { name } of flags) {
      expect(zsh).toContain(`--${name}`);
      expect(fish).toContain(` -l ${name} `);
    }
  }
});

test('control: what a host needs is depended on, what builders need is suggested', () => {
  const text = control({ version: '1.2.3', kilobytes: 5 });
  expect(/^Depends: (.*)$/m.exec(text)?.[1]).toMatch(/kmod, util-linux/);
  expect(/^Depends: (.*)$/m.exec(text)?.[1]).not.toMatch(/gcc-12|qemu/);
  expect(/^Suggests: (.*)$/m.exec(text)?.[1]).toMatch(/gcc-12.*qemu-system-x86/);
});
