// The man pages, in man(7)'s macros: livegraft(1) from the command line's own help and docs/exit-codes.md, livegraft.service(8).
import { commonFlags } from './command-tree.mjs';

/**
 * livegraft(1).
 * @param {{ commands: import('./command-tree.mjs').Command[], groups: import('./command-tree.mjs').Group[] }} tree
 * @param {{ version: string, date: string, exitCodes: readonly (readonly [string, string, string])[] }} facts
 */
export function mainPage({ commands, groups }, { version, date, exitCodes }) {
  const [program, ...others] = groups;
  const common = commonFlags(commands);
  return page([
    head('LIVEGRAFT', 1, version, date),
    '.SH NAME',
    `livegraft \\- ${prose(lowerFirst(program.brief))}`,
    '.SH SYNOPSIS',
    '.B livegraft',
    '.I COMMAND',
    '.RI [ OPTIONS ]',
    '.RI [ ARGUMENTS ]',
    '.br',
    '.B livegraft',
    '.RI [ COMMAND ]',
    '.B \\-\\-help',
    '.br',
    '.B livegraft \\-\\-version',
    '.SH DESCRIPTION',
    ...paragraphs(program.paragraphs),
    '.PP',
    prose(
      'Commands that change the running kernel (load, revert, unload, wake and what the service runs) need root. They say what they will do before they do it, and one of them works at a time. What runs is always read from the kernel, never from files of our own.',
    ),
    '.SH OPTIONS',
    'All commands take these.',
    ...common.flatMap(option),
    ...tagged('\\fB\\-h\\fR, \\fB\\-\\-help\\fR', 'Print help for the program or the command, and end.'),
    ...tagged('\\fB\\-v\\fR, \\fB\\-\\-version\\fR', 'Print the version, and end.'),
    ...tagged('\\fB\\-\\-\\fR', 'What follows is no option.'),
    '.SH COMMANDS',
    ...commands.flatMap((each) => [
      ...others.filter(({ path }) => startsGroup(path, each.path, commands)).flatMap(group),
      ...command(each, common),
    ]),
    '.SH EXIT STATUS',
    ...exitCodes.flatMap(([code, meaning, when]) =>
      tagged(`\\fB${code}\\fR`, prose(`${upperFirst(meaning)}: ${when}.`)),
    ),
    ...tagged(
      '\\fB128\\fR+\\fIN\\fR',
      prose(
        'Ended by signal N: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP, 141 when nobody reads the output any more.',
      ),
    ),
    '.SH ENVIRONMENT',
    ...environment.flatMap(([name, words]) => tagged(`\\fB${name}\\fR`, prose(words))),
    '.SH FILES',
    ...files.flatMap(([path, words]) => tagged(`\\fI${literal(path)}\\fR`, prose(words))),
    '.SH EXAMPLES',
    'From a patch to the running kernel, and back:',
    ...example(program.examples),
    ...example([
      'sudo livegraft load livegraft_fix --dry-run',
      'sudo livegraft load livegraft_fix',
      'livegraft status --check',
      'sudo livegraft revert livegraft_fix',
    ]),
    '.SH SEE ALSO',
    '.BR livegraft.service (8),',
    '.BR insmod (8),',
    '.BR systemd (1)',
    '.PP',
    prose('What is refused and why, every message with its code, and the documents that --json prints:'),
    '.I /usr/share/doc/livegraft/',
  ]);
}

/** livegraft.service(8). */
export function servicePage({ version, date }) {
  return page([
    head('LIVEGRAFT.SERVICE', 8, version, date),
    '.SH NAME',
    prose('livegraft.service, livegraft-settled.timer, livegraft-metrics.timer - livepatches at boot'),
    '.SH SYNOPSIS',
    ...[
      'livegraft.service',
      'livegraft-settled.service',
      'livegraft-settled.timer',
      'livegraft-metrics.service',
      'livegraft-metrics.timer',
    ].flatMap((name, i) => [...(i === 0 ? [] : ['.br']), prose(name)]),
    '.SH DESCRIPTION',
    prose(
      '**livegraft.service** runs `livegraft boot`: it loads the bundles that were enabled with `livegraft enable` for the kernel that booted, one after the other, as `livegraft load` does. A transition that stalls is taken back; one bundle that fails does not stop the others. Bundles in quarantine are left out. With nothing enabled it does nothing.',
    ),
    '.PP',
    prose(
      'Stopping the service unloads nothing; it only notes that the machine went down properly. To take a livepatch out of the kernel use `livegraft revert`, to keep it from coming back `livegraft disable`.',
    ),
    '.PP',
    prose(
      '**livegraft-settled.timer** runs `livegraft boot --settled` a minute later. A machine that dies before that counts against the bundles of this boot; the second time a bundle is put in quarantine (`livegraft quarantine`).',
    ),
    '.PP',
    prose(
      '**livegraft-metrics.timer** writes `livegraft metrics` to where the textfile collector of node_exporter looks. It is off until somebody enables it.',
    ),
    '.SH KEEPING IT OFF',
    'Any of these keeps every livepatch out of the next boot:',
    ...tagged('\\fBlivegraft=off\\fR', 'on the kernel command line, for one boot.'),
    ...tagged('\\fI/etc/livegraft/off\\fR', 'A file of this name, whatever is in it, until it is removed.'),
    ...tagged(
      '\\fBsystemctl disable livegraft.service\\fR',
      prose('Nothing is loaded at boot until it is enabled again.'),
    ),
    '.SH FILES',
    ...files
      .filter(([, , service]) => service)
      .flatMap(([path, words]) => tagged(`\\fI${literal(path)}\\fR`, prose(words))),
    '.SH EXAMPLES',
    ...example([
      'sudo livegraft enable livegraft_fix',
      'systemctl status livegraft.service',
      'journalctl -b -u livegraft.service',
    ]),
    '.SH SEE ALSO',
    '.BR livegraft (1),',
    '.BR systemctl (1),',
    '.BR bootparam (7)',
  ]);
}

/** The rows of the table in docs/exit-codes.md: code, meaning, when. */
export function readExitCodes(markdown) {
  return markdown
    .split('\n')
    .map((line) => /^\| (\d+) \| (.*?) \| (.*) \|$/.exec(line))
    .flatMap((row) => (row === null ? [] : [[row[1], row[2], row[3]]]));
}

const environment = [
  ['XDG_CACHE_HOME', 'Where the cache of kernels is: $XDG_CACHE_HOME/livegraft, else ~/.cache/livegraft.'],
  ['NO_COLOR', 'When set to anything, no colours. Without a terminal there are none either.'],
  ['TMPDIR', 'Where temporary files go; /tmp by default.'],
];

/** Path, what it is, whether the service has to do with it. */
const files = [
  ['/var/lib/livegraft/enabled/', 'The bundles to load at boot, by kernel.', true],
  [
    '/var/lib/livegraft/journal.ndjson',
    'What was tried, written before the kernel is touched (livegraft journal).',
    true,
  ],
  ['/etc/livegraft/off', 'While this file is there, nothing is loaded at boot.', true],
  ['/run/livegraft/', 'What is in work.', false],
  ['~/.cache/livegraft/', 'Kernels to build for, and compiled objects.', false],
  ['/sys/kernel/livepatch/', 'The kernel’s own word on what is loaded.', true],
];

function startsGroup(path, commandPath, commands) {
  const inside = (other) => path.every((word, i) => other[i] === word);
  return commands.find(({ path: other }) => inside(other))?.path === commandPath;
}

function group({ path, brief, paragraphs: words }) {
  return [`.SS livegraft ${literal(path.join(' '))}`, `${prose(brief)}.`, ...paragraphs(words, '.PP')];
}

function command({ path, brief, paragraphs: words, examples, flags, positional, repeats }, common) {
  const own = flags.filter(({ name }) => !common.some((other) => other.name === name));
  const parameters = positional.map(({ placeholder, optional }) => {
    const shown = `\\fI${literal(placeholder)}\\fR`;
    return optional ? `[${shown}]` : shown;
  });
  return [
    `.SS livegraft ${literal(path.join(' '))}`,
    '.PD 0',
    '.HP',
    [
      `\\fBlivegraft ${literal(path.join(' '))}\\fR`,
      ...own.filter(({ optional }) => !optional).map((flag) => spelled(flag)),
      ...(own.some(({ optional }) => optional) ? ['[\\fIOPTIONS\\fR]'] : []),
      ...parameters,
    ].join(' ') + (repeats && !positional.at(-1)?.placeholder.includes('--') ? '...' : ''),
    '.PD',
    '.PP',
    `${prose(brief)}.`,
    ...paragraphs(words, '.PP'),
    ...positional.flatMap(({ placeholder, brief: text }) => tagged(`\\fI${literal(placeholder)}\\fR`, sentence(text))),
    ...own.flatMap(option),
    ...(examples.length === 0 ? [] : ['.PP', examples.length > 1 ? 'Examples:' : 'Example:', ...example(examples)]),
  ];
}

function option(flag) {
  const { letter, initial, brief, kind, variadic, optional } = flag;
  const short = letter === undefined ? '' : `\\fB\\-${letter}\\fR, `;
  const facts = [
    ...(initial !== undefined && kind !== 'boolean' ? [`default: ${initial}`] : []),
    ...(kind === 'boolean' && initial === 'true' ? ['default: yes'] : []),
    ...(variadic ? ['may be given several times'] : []),
    ...(optional ? [] : ['must be given']),
  ];
  // a brief that tells its own default needs none from us
  const told =
    facts.length === 0
      ? brief
      : brief.endsWith(')')
        ? `${brief}; ${facts.join('; ')}`
        : `${brief} (${facts.join('; ')})`;
  return tagged(`${short}${spelled(flag)}`, sentence(told));
}

function spelled({ name, kind, negated, placeholder, values }) {
  const dashes = `\\fB\\-\\-${negated ? '[no\\-]' : ''}${literal(name)}\\fR`;
  if (kind === 'boolean' || kind === 'counter') return dashes;
  const value =
    kind === 'enum' ? values.map((each) => `\\fB${literal(each)}\\fR`).join('|') : `\\fI${literal(placeholder)}\\fR`;
  return `${dashes} ${value}`;
}

function head(title, section, version, date) {
  return `.TH ${title} ${section} ${date} "livegraft ${version}" "${section === 1 ? 'User Commands' : 'System Manager\\(aqs Manual'}"`;
}

function page(lines) {
  return `.\\" Written by packaging/man.mjs from the command line's own help.\n${lines.join('\n')}\n`;
}

function paragraphs(words, first) {
  return words.flatMap((text, i) => [...(i > 0 || first !== undefined ? [first ?? '.PP'] : []), prose(text)]);
}

function tagged(tag, text) {
  return ['.TP', tag, text];
}

function example(lines) {
  return ['.PP', '.RS 4', '.nf', ...lines.flatMap(broken).map((line) => guarded(literal(line))), '.fi', '.RE'];
}

/** A command line that is too long for a terminal goes on in the next line, before an option. */
function broken(line) {
  const lines = [''];
  for (const part of line.split(/ (?=--\w)/)) {
    if (lines.at(-1).length + part.length > 62 && lines.at(-1) !== '') lines.push(`    ${part}`);
    else lines.push([lines.pop(), part].filter((each) => each !== '').join(' '));
  }
  return lines.map((each, i) => (i < lines.length - 1 ? `${each} \\` : each));
}

function sentence(text) {
  const words = prose(upperFirst(text));
  return /[.:]$/.test(words) ? words : `${words}.`;
}

/** Running text: `code` and **names** in bold; one sentence a line, as roff wants it. */
function prose(text) {
  return literal(text)
    .replace(/`([^`]+)`|\*\*([^*]+)\*\*/g, (_, code, name) => `\\fB${code ?? name}\\fR`)
    .replace(/(?<!\be\.g|\bi\.e)([.:]) (?=[A-Z\\])/g, '$1\n')
    .split('\n')
    .flatMap(filled)
    .map(guarded)
    .join('\n');
}

/** Input lines that an editor shows whole. */
function filled(line) {
  const lines = [''];
  for (const word of line.split(' ')) {
    if (lines.at(-1) !== '' && lines.at(-1).length + 1 + word.length > 78) lines.push(word);
    else lines.push([lines.pop(), word].filter((each) => each !== '').join(' '));
  }
  return lines;
}

/** A line that begins as a request is text all the same. */
function guarded(line) {
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

const signs = new Map([
  ['\\', '\\e'],
  ['-', '\\-'],
  ["'", '\\(aq'],
  ['^', '\\(ha'],
  ['~', '\\(ti'],
  ['’', '\\(cq'],
  ['‘', '\\(oq'],
  ['“', '\\(lq'],
  ['”', '\\(rq'],
  ['→', '\\->'],
  ['…', '...'],
  ['–', '\\(en'],
]);

/** Signs that roff would take for its own, and those beyond ASCII, by name. */
function literal(text) {
  return text.replace(/[\\\-'^~]|[^\x20-\x7e]/gu, (sign) => {
    const name = signs.get(sign);
    return name ?? `\\[u${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`;
  });
}

function upperFirst(text) {
  return text.replace(/^./u, (letter) => letter.toUpperCase());
}

function lowerFirst(text) {
  return text.replace(/^./u, (letter) => letter.toLowerCase());
}
