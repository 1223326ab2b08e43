// What a word on the command line can be, told from its placeholder: the part of completion that all shells share.

/** @typedef {'files' | 'folders' | 'kernels' | 'livepatches' | 'enabled' | 'command' | 'nothing'} Source */

/** @returns {readonly Source[]} where the words come from that can stand in a flag's place */
export function flagSources({ kind, placeholder }) {
  return kind === 'parsed' ? sourcesOf(placeholder) : ['nothing'];
}

/** @returns {readonly Source[]} where the words come from that can stand as this argument of a command */
export function argumentSources([first], { placeholder }) {
  // `disable NAME` and `quarantine NAME` are about what is stored, `kernel add NAME` gives a new one
  if (placeholder === 'NAME')
    return first === 'disable' || first === 'quarantine'
      ? ['enabled']
      : first === 'kernel'
        ? ['nothing']
        : ['livepatches'];
  if (placeholder === 'NAME|BUNDLE') return ['livepatches', 'folders'];
  return sourcesOf(placeholder);
}

function sourcesOf(placeholder) {
  return [
    ...new Set(
      placeholder.split(/[|[]/).map((word) => sources[word.trim()] ?? (word.endsWith('.o') ? 'files' : 'nothing')),
    ),
  ].filter((source, _, all) => source !== 'nothing' || all.length === 1);
}

/** @type {Record<string, Source>} */
const sources = {
  RELEASE: 'kernels',
  KERNEL: 'kernels',
  BUNDLE: 'folders',
  DIR: 'folders',
  FILE: 'files',
  PATCH: 'files',
  SCRIPT: 'files',
  NAME: 'nothing',
  '-- COMMAND]': 'command',
};
