// The command line as plain values, read from the application itself: what man pages and completions are made from.
// Works on the tree that `@stricli/core` builds (RouteMap: getAllEntries(); Command: parameters).

/**
 * @typedef {object} Flag
 * @property {string} name as it is typed, without dashes
 * @property {string | undefined} letter
 * @property {'boolean' | 'counter' | 'enum' | 'parsed'} kind
 * @property {string} brief
 * @property {boolean} optional
 * @property {boolean} negated has a `--no-…`
 * @property {boolean} variadic
 * @property {string | undefined} initial what is taken when it is not given
 * @property {readonly string[]} values
 * @property {string} placeholder
 *
 * @typedef {object} Command
 * @property {readonly string[]} path `['kernel', 'fetch']`
 * @property {string} brief
 * @property {readonly string[]} paragraphs
 * @property {readonly string[]} examples
 * @property {readonly Flag[]} flags
 * @property {readonly { placeholder: string, brief: string, optional: boolean }[]} positional
 * @property {boolean} repeats the last positional may come again
 *
 * @typedef {object} Group
 * @property {readonly string[]} path
 * @property {string} brief
 * @property {readonly string[]} paragraphs
 * @property {readonly string[]} examples
 */

/** @returns {{ commands: Command[], groups: Group[] }} groups: the program itself first, with an empty path */
export function readTree(root) {
  const commands = [];
  const groups = [];
  const walk = (target, path) => {
    const told = { path, brief: target.brief, ...describe(target.fullDescription ?? '') };
    if (target.getAllEntries === undefined) commands.push({ ...told, ...parametersOf(target.parameters) });
    else {
      groups.push(told);
      for (const entry of target.getAllEntries()) {
        if (!entry.hidden) walk(entry.target, [...path, entry.name['convert-camel-to-kebab']]);
      }
    }
  };
  walk(root, []);
  return { commands, groups };
}

/** Flags that every command takes in the same way. */
export function commonFlags(commands) {
  const [first, ...rest] = commands;
  const text = (flag) => JSON.stringify(flag);
  return first.flags.filter((flag) => rest.every(({ flags }) => flags.some((other) => text(other) === text(flag))));
}

/** A description is paragraphs, a line each, and at its end examples: `Example: livegraft …`, one a line. */
function describe(text) {
  const [words, ...examples] = text.split(/(?:^|\n)Examples?: /);
  return {
    paragraphs: words.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()])),
    examples: examples.flatMap((each) => each.split('\n')).flatMap((line) => (line.trim() === '' ? [] : [line.trim()])),
  };
}

function parametersOf({ flags = {}, aliases = {}, positional }) {
  const letters = new Map(Object.entries(aliases).map(([letter, name]) => [name, letter]));
  const parameters = positional === undefined ? [] : (positional.parameters ?? [positional.parameter]);
  const repeats = positional?.kind === 'array' && (positional.maximum ?? 2) > 1;
  return {
    flags: Object.entries(flags)
      .filter(([, { hidden }]) => hidden !== true)
      .map(([name, flag]) => flagOf(name, flag, letters.get(name))),
    positional: parameters.map(({ placeholder = 'ARGUMENT', brief, optional = false }) => ({
      placeholder,
      brief,
      optional: optional || (positional.kind === 'array' && (positional.minimum ?? 0) === 0),
    })),
    repeats,
  };
}

function flagOf(name, flag, letter) {
  const { kind, brief, optional = false, withNegated = true, variadic = false, values = [], placeholder } = flag;
  return {
    name: kebab(name),
    letter,
    kind,
    brief,
    optional: optional || flag.default !== undefined || kind === 'boolean',
    negated: kind === 'boolean' && withNegated,
    variadic: variadic !== false,
    initial: flag.default === undefined ? undefined : String(flag.default),
    values,
    placeholder: placeholder ?? (kind === 'enum' ? values.join('|') : 'VALUE'),
  };
}

function kebab(name) {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
