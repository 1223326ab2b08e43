// Completion for bash, zsh and fish: static files made from the command line itself, with functions that look what is there now.
import { argumentSources, flagSources } from './values.mjs';

const note = "Written by packaging/completions.mjs from livegraft's own command line.";

/** Shell words (POSIX) that list what a source has at the moment; each prints one word a line and fails silently. */
const listings = {
  livepatches: 'command ls /sys/kernel/livepatch 2>/dev/null',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
  kernels: 'command ls "${XDG_CACHE_HOME:-$HOME/.cache}/livegraft/kernels" 2>/dev/null',
  enabled:
    'command ls -d /var/lib/livegraft/enabled/*/*/ 2>/dev/null | command sed "s:/$::; s:.*/::" | command sort -u',
};

/** For /usr/share/bash-completion/completions/livegraft; needs no function of bash-completion. */
export function bashCompletion({ commands, groups }) {
  const names = (path) => children({ commands, groups }, path).map(({ word }) => word);
  const cases = commands.map((command) => {
    const { path, flags, positional, repeats } = command;
    const valued = flags.filter(({ kind }) => kind === 'enum' || kind === 'parsed');
    const values = valued.map((flag) => {
      const spelled = [`--${flag.name}`, ...(flag.letter === undefined ? [] : [`-${flag.letter}`])].join('|');
      return `        ${spelled}) ${bashValue(flag.kind === 'enum' ? flag.values : flagSources(flag))}; return ;;`;
    });
    const places = positional.flatMap((each, i) => {
      const sources = argumentSources(path, each);
      if (sources.includes('command'))
        return [
          `        0) ${bashValue(sources.slice(0, 1))} ;;`,
          '        1) _livegraft_paths -c ;;',
          '        *) _livegraft_paths -f ;;',
        ];
      return [`        ${repeats && i === positional.length - 1 ? '*' : i}) ${bashValue(sources)} ;;`];
    });
    return [
      `    '${path.join(' ')}')`,
      `      options='${options(command)
        .map(({ word }) => word)
        .join(' ')}'`,
      `      valued=' ${valued.flatMap((flag) => [`--${flag.name}`, ...(flag.letter === undefined ? [] : [`-${flag.letter}`])]).join(' ')} '`,
      ...(values.length === 0 ? [] : ['      case $previous in', ...values, '      esac']),
      `      if [[ $cur == -* && -z $plain ]]; then _livegraft_words "$options"; return; fi`,
      ...(places.length === 0 ? [] : ['      case $(_livegraft_place) in', ...places, '      esac']),
      '      ;;',
    ].join('\n');
  });
  const menus = groups.map(
    ({ path }) =>
      `    '${path.join(' ')}') _livegraft_words '${[...names(path), '--help', ...(path.length === 0 ? ['--version'] : [])].join(' ')}' ;;`,
  );
  const known = [...groups.filter(({ path }) => path.length > 0), ...commands]
    .map(({ path }) => `      '${path.join(' ')}'`)
    .join(' | \\\n')
    .concat(')');
  return `# bash completion for livegraft                         -*- shell-script -*-
# ${note}

_livegraft_livepatches() { ${listings.livepatches}; }
_livegraft_kernels() { ${listings.kernels}; }
_livegraft_enabled() { ${listings.enabled}; }

_livegraft_words() {
  local IFS=$' \\t\\n'
  COMPREPLY+=($(compgen -W "$1" -- "$cur"))
}

_livegraft_paths() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen "$1" -- "$cur"))
}

# How many arguments that are no options, and no values of options, stand before the cursor.
_livegraft_place() {
  local i word count=0 skip=
  for ((i = first; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == '=' ]]; then skip=1
    elif [[ -n $skip ]]; then skip=
    elif [[ $valued == *" $word "* ]]; then [[ \${COMP_WORDS[i + 1]} == '=' ]] || skip=1
    elif [[ $word != -* ]]; then count=$((count + 1)); fi
  done
  echo $count
}

_livegraft() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command='' options valued=' ' first=1 plain='' i
  COMPREPLY=()
  # --flag=value comes as three words
  if [[ $cur == '=' ]]; then cur=''
  elif [[ $previous == '=' ]]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  while ((first < COMP_CWORD)); do
    case "\${command:+$command }\${COMP_WORDS[first]}" in
${known} ;;
      *) break ;;
    esac
    command="\${command:+$command }\${COMP_WORDS[first]}"
    first=$((first + 1))
  done
  for ((i = first; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -- ]] && plain=1
  done
  case $command in
${cases.join('\n')}
${menus.join('\n')}
  esac
}
complete -F _livegraft livegraft
`;
}

function bashValue(sources) {
  return sources
    .map((source) => {
      switch (source) {
        case 'files':
          return '_livegraft_paths -f';
        case 'folders':
          return '_livegraft_paths -d';
        case 'nothing':
          return ':';
        default:
          return source in listings ? `_livegraft_words "$(_livegraft_${source})"` : `_livegraft_words '${source}'`;
      }
    })
    .join('; ');
}

/** For /usr/share/zsh/vendor-completions/_livegraft. */
export function zshCompletion({ commands, groups }) {
  const functions = groups.map(({ path }) => {
    const all = children({ commands, groups }, path);
    const described = all.map(({ word, brief }) => `    ${quoted(`${word}:${brief}`)}`);
    const calls = all.map(({ word, command }) =>
      command === undefined ? `        ${word}) ${zshName([...path, word])} ;;` : zshCommand(word, command),
    );
    return `${zshName(path)}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a words_here
  words_here=(
${described.join('\n')}
  )
  _arguments -C '(- *)'{-h,--help}'[Print help and end]' ${path.length === 0 ? "'(- *)'{-v,--version}'[Print the version and end]' " : ''}'1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe -t commands 'livegraft command' words_here ;;
    argument)
      curcontext="\${curcontext%:*:*}:livegraft-$line[1]:"
      case $line[1] in
${calls.join('\n')}
      esac
      ;;
  esac
}`;
  });
  const lists = Object.entries(listings).map(
    ([name, words]) => `_livegraft_${name}() {
  local -a found
  found=(\${(f)"$(${name === 'enabled' ? words.replace('/*/*/', '/*/*/(N)') : words})"})
  (( $#found )) && compadd -- $found
}`,
  );
  return `#compdef livegraft
# ${note}

${lists.join('\n\n')}

${functions.join('\n\n')}

${zshName([])} "$@"
`;
}

function zshName(path) {
  return ['_livegraft', ...path].join('_');
}

function zshCommand(word, { path, flags, positional, repeats }) {
  const specs = flags.flatMap((flag) => {
    const { name, letter, brief, kind, variadic, negated } = flag;
    const value =
      kind === 'enum'
        ? `:${name}:(${flag.values.join(' ')})`
        : kind === 'parsed'
          ? `:${zshText(flag.placeholder)}:${zshValue(flagSources(flag))}`
          : '';
    const sign = value === '' ? '' : '=';
    const text = `[${zshText(brief)}]`;
    const twins = [`--${name}`, ...(letter === undefined ? [] : [`-${letter}`]), ...(negated ? [`--no-${name}`] : [])];
    const before = variadic ? '*' : `(${twins.join(' ')})`;
    return [
      quoted(`${before}--${name}${sign}${text}${value}`),
      ...(letter === undefined ? [] : [quoted(`${before}-${letter}${value === '' ? '' : '+'}${text}${value}`)]),
      ...(negated ? [quoted(`${before}--no-${name}[Not: ${zshText(brief)}]`)] : []),
    ];
  });
  const places = positional.flatMap((each, i) => {
    const sources = argumentSources(path, each);
    const many = repeats && i === positional.length - 1;
    if (sources.includes('command'))
      return [quoted(`1:RELEASE:${zshValue(sources.slice(0, 1))}`), quoted('*::command:_normal')];
    return [
      quoted(`${many ? '*' : each.optional ? `${i + 1}:` : i + 1}:${zshText(each.placeholder)}:${zshValue(sources)}`),
    ];
  });
  const lines = [...specs, quoted('(- *)--help[Print help and end]'), ...places].map((each) => `          ${each}`);
  return `        ${word})\n          _arguments \\\n  ${lines.join(' \\\n  ')}\n          ;;`;
}

function zshValue(sources) {
  const actions = sources.map((source) =>
    source === 'files'
      ? '_files'
      : source === 'folders'
        ? '_files -/'
        : source === 'nothing'
          ? ' '
          : `_livegraft_${source}`,
  );
  return actions.length === 1 ? actions[0] : `{${actions.join('; ')}}`;
}

/** Inside of a spec of `_arguments`. */
function zshText(text) {
  return text.replace(/[\\:[\]]/g, '\\$&');
}

/** One word for a POSIX-like shell. */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** For /usr/share/fish/vendor_completions.d/livegraft.fish. */
export function fishCompletion({ commands, groups }) {
  const lines = [];
  for (const { path } of groups) {
    const at = `-n ${fishQuoted(`__livegraft_menu ${path.join(' ')}`.trim())}`;
    for (const { word, brief } of children({ commands, groups }, path))
      lines.push(`complete -c livegraft ${at} -a ${word} -d ${fishQuoted(brief)}`);
  }
  lines.push(`complete -c livegraft -n __livegraft_menu -s v -l version -d 'Print the version and end'`);
  lines.push(`complete -c livegraft -s h -l help -d 'Print help and end'`);
  for (const { path, flags, positional } of commands) {
    const at = `complete -c livegraft -n ${fishQuoted(`__livegraft_in ${path.join(' ')}`)}`;
    for (const flag of flags) {
      const { name, letter, kind, brief, negated } = flag;
      const value =
        kind === 'enum'
          ? ` -x -a ${fishQuoted(flag.values.join(' '))}`
          : kind === 'parsed'
            ? ` -r${fishValue(flagSources(flag))}`
            : '';
      lines.push(`${at}${letter === undefined ? '' : ` -s ${letter}`} -l ${name}${value} -d ${fishQuoted(brief)}`);
      if (negated) lines.push(`${at} -l no-${name} -d ${fishQuoted(`Not: ${brief}`)}`);
    }
    for (const sources of new Set(positional.map((each) => argumentSources(path, each).join(' ')))) {
      const value = fishValue(sources.split(' '));
      if (value !== ' -f') lines.push(`${at}${value}`);
    }
  }
  return `# ${note}

function __livegraft_words
    set -l words (commandline -opc)
    for word in $words[2..-1]
        string match -q -- '-*' $word; or echo $word
    end
end

# Whether the command line's first words are these, and more may follow.
function __livegraft_in
    set -l words (__livegraft_words)
    set -l count (count $argv)
    test (count $words) -ge $count; and test "$words[1..$count]" = "$argv"
end

# Whether these are all of its words: then a command comes next.
function __livegraft_menu
    set -l words (__livegraft_words)
    test "$words" = "$argv"
end

function __livegraft_livepatches
    ${listings.livepatches}
end

function __livegraft_kernels
    set -l cache $HOME/.cache
    set -q XDG_CACHE_HOME; and set cache $XDG_CACHE_HOME
    command ls $cache/livegraft/kernels 2>/dev/null
end

function __livegraft_enabled
    for path in /var/lib/livegraft/enabled/*/*/
        path_name (string trim -r -c / $path)
    end | sort -u
end

complete -c livegraft -f
${lines.join('\n')}
`.replace('path_name (string trim -r -c / $path)', 'basename $path');
}

function fishValue(sources) {
  if (sources.includes('files')) return ' -F';
  const parts = sources.flatMap((source) =>
    source === 'folders'
      ? ['(__fish_complete_directories)']
      : source === 'command'
        ? ['(__fish_complete_subcommand --fcs-skip=3)']
        : source === 'nothing'
          ? []
          : [`(__livegraft_${source})`],
  );
  return parts.length === 0 ? ' -f' : ` -f -a ${fishQuoted(parts.join(' '))}`;
}

function fishQuoted(text) {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

function options({ flags }) {
  return [
    ...flags.flatMap(({ name, letter, negated, brief }) => [
      { word: `--${name}`, brief },
      ...(letter === undefined ? [] : [{ word: `-${letter}`, brief }]),
      ...(negated ? [{ word: `--no-${name}`, brief: `Not: ${brief}` }] : []),
    ]),
    { word: '--help', brief: 'Print help and end' },
  ];
}

/** What can follow after these words of a group. */
function children({ commands, groups }, path) {
  const below = (each) => each.path.length === path.length + 1 && path.every((word, i) => each.path[i] === word);
  const order = (each) => commands.findIndex(({ path: other }) => each.path.every((word, i) => other[i] === word));
  return [
    ...commands
      .filter(below)
      .map((command) => ({ word: command.path.at(-1), brief: command.brief, command, order: order(command) })),
    ...groups
      .filter(below)
      .map((group) => ({ word: group.path.at(-1), brief: group.brief, command: undefined, order: order(group) })),
  ].toSorted((a, b) => a.order - b.order);
}
