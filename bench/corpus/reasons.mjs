// Outcomes of a build, and which refusals hold for every tool that makes livepatches. The one place that says so.

/**
 * Refusals that come from the kernel's live patching itself or from the patch, whoever builds it: code → why. Every other refusal counts as
 * something that livegraft does not do yet. Code and data are replaced function by function through ftrace, in a kernel that is
 * running: that excludes what has run, what has no entry, and what exists with a value of its own.
 */
export const everyTool = {
  'init-changed': 'init code has run and is gone',
  'refers-to-init': 'init code and data are gone',
  'data-changed': 'data that exists has its own value by now',
  'registry-changed': 'the kernel reads it at its start or when a module is loaded (parameters, initcalls, …)',
  'export-added': 'a livepatch exports nothing',
  'unit-disabled': 'this kernel does not contain the file',
  'unit-not-built': 'this kernel does not contain the file',
  'function-overridden': 'this kernel does not contain the function',
  'outside-running-kernel': 'not code of the running kernel',
  'no-ftrace-entry': 'ftrace cannot redirect the function',
  'static-key-in-module': 'jump labels are applied before the key of a module is known',
  'assembly-change': 'assembly has no function that ftrace can redirect',
  'build-system-change': 'not code',
  'patch-binary': 'not code',
  'unsupported-file': 'not code',
};

/**
 * What a livegraft process came to.
 * @param {number | null} exit
 * @param {string[]} codes of its errors, the deciding one first
 */
export function outcomeOf(exit, codes) {
  if (exit === 0) return 'built';
  if (exit === 3) return 'unchanged';
  if (exit === 4) return codes[0] === 'does-not-compile' ? 'does-not-compile' : 'refused';
  if (exit === 5) return 'provenance';
  return 'failed';
}

/** Whether a refused patch would be refused by every tool: one such reason is enough. */
export function holdsForEveryTool({ outcome, codes }) {
  return outcome === 'refused' && codes.some((code) => code in everyTool);
}

/** The figure the corpus is for: of the patches whose code changes and that some tool could build, how many are built. */
export function score(records) {
  const count = (wanted) => records.filter(wanted).length;
  const built = count((each) => each.outcome === 'built');
  const lacking = count((each) => each.outcome === 'refused' && !holdsForEveryTool(each));
  const provenance = count((each) => each.outcome === 'provenance');
  const failed = count((each) => each.outcome === 'failed');
  const buildable = built + lacking + provenance + failed;
  return {
    patches: records.length,
    built,
    lacking,
    provenance,
    failed,
    buildable,
    everyTool: count(holdsForEveryTool),
    unchanged: count((each) => each.outcome === 'unchanged'),
    doesNotCompile: count((each) => each.outcome === 'does-not-compile'),
    percent: buildable === 0 ? null : Math.round((built / buildable) * 1000) / 10,
  };
}
