/**
 * Splits the commands that kbuild saves in `.NAME.o.cmd` files into programs and arguments, exactly as the shell would.
 * The file is a makefile fragment (scripts/Kbuild.include: make-cmd doubles `$`, writes `#` as `$(pound)`, and escapes `'`
 * only for its own use). Words follow POSIX "Shell Command Language", 2.2; anything beyond words, quotes and `;`/`&&` is refused.
 */

/** The command for a target in the text of its .cmd file, with make's escaping undone; undefined when there is none. */
export function savedCommand(text: string, target: string): string | undefined {
  for (const line of text.split('\n')) {
    for (const prefix of ['savedcmd_', 'cmd_']) {
      const start = `${prefix}${target} := `;
      if (line.startsWith(start)) return line.slice(start.length).replaceAll('$(pound)', '#').replaceAll('$$', '$');
    }
  }
  return undefined;
}

/** Raised with the problem in words; the caller knows which file it is about. */
export class ShellSyntaxError extends Error {
  override readonly name = 'ShellSyntaxError';
}

/** Splits a command line into its commands, each a list of words. Throws ShellSyntaxError. */
export function splitCommands(line: string): string[][] {
  const commands: string[][] = [[]];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) commands.at(-1)!.push(word);
    word = undefined;
  };
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!;
    if (c === ' ' || c === '\t') endWord();
    else if (c === "'") {
      const end = line.indexOf("'", i + 1);
      if (end < 0) throw new ShellSyntaxError('a single quote is not closed');
      word = (word ?? '') + line.slice(i + 1, end);
      i = end;
    } else if (c === '"') {
      const quoted = doubleQuoted(line, i + 1);
      word = (word ?? '') + quoted.text;
      i = quoted.end;
    } else if (c === '\\') {
      const next = line[++i];
      if (next === undefined) throw new ShellSyntaxError('it ends with a backslash');
      word = (word ?? '') + next;
    } else if (c === ';' || (c === '&' && line[i + 1] === '&')) {
      if (c === '&') i++;
      endWord();
      commands.push([]);
    } else if (/[|&<>()$`*?[\]~\n]/.test(c) || (c === '#' && word === undefined)) {
      throw new ShellSyntaxError(`${JSON.stringify(c)} stands outside quotes`);
    } else word = (word ?? '') + c;
  }
  endWord();
  return commands.filter((command) => command.length > 0);
}

function doubleQuoted(line: string, start: number): { text: string; end: number } {
  let text = '';
  for (let i = start; i < line.length; i++) {
    const c = line[i]!;
    if (c === '"') return { text, end: i };
    if (c === '$' || c === '`') throw new ShellSyntaxError(`${JSON.stringify(c)} stands in double quotes`);
    if (c === '\\' && /["\\$`]/.test(line[i + 1] ?? '')) text += line[++i];
    else text += c;
  }
  throw new ShellSyntaxError('a double quote is not closed');
}
