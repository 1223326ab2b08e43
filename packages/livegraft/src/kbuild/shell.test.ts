import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShellSyntaxError, savedCommand, splitCommands } from './shell.ts';

describe('splitCommands', () => {
  test('kbuild’s quoting and objtool after the compiler', () => {
    const line = `gcc-12 -I ./fs/proc    -DKBUILD_MODFILE='"fs/proc/proc"' -D'A=b c' "x\\"y" a\\ b  ; ./tools/objtool/objtool --orc   fs/x.o`;
    expect(splitCommands(line)).toEqual([
      ['gcc-12', '-I', './fs/proc', '-DKBUILD_MODFILE="fs/proc/proc"', '-DA=b c', 'x"y', 'a b'],
      ['./tools/objtool/objtool', '--orc', 'fs/x.o'],
    ]);
  });

  test.each(['a | b', 'a > b', 'a $(b)', 'a `b`', 'a & b', '"a', "'a", 'a\\', '"$x"', 'a *.c', '# x'])(
    'refuses %s',
    (line) => {
      expect(() => splitCommands(line)).toThrow(ShellSyntaxError);
    },
  );

  test('a backslash in double quotes escapes only what is special there', () => {
    expect(splitCommands('"a\\\\b\\n\\$c"')).toEqual([['a\\b\\n$c']]);
  });

  test('agrees with sh', () => {
    const part = fc.constantFrom('a', 'B=', ' ', "'x y'", '"x\\\\y\\"z\\n"', '\\ ', "'", '"', '-', 'x y');
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 12 }).map((parts) => `:${parts.join('')}`),
        (line) => {
          let words: string[][];
          try {
            words = splitCommands(line);
          } catch {
            return;
          }
          if (words.length !== 1 || words[0]![0] !== ':') return;
          const shell = execFileSync('sh', ['-c', `set -- ${line}\nfor w; do printf '%s\\0' "$w"; done`]).toString();
          expect(`${words[0]!.join('\0')}\0`).toBe(shell);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('savedCommand', () => {
  test('both spellings, make’s escaping undone', () => {
    expect(savedCommand('x := 1\ncmd_fs/a.o := gcc $$x $(pound)\n', 'fs/a.o')).toBe('gcc $x #');
    expect(savedCommand('savedcmd_fs/a.o := gcc\n', 'fs/a.o')).toBe('gcc');
    expect(savedCommand('cmd_fs/a.o := gcc\n', 'fs/b.o')).toBeUndefined();
  });
});
