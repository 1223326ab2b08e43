/** What the kernel means when it refuses a livepatch module: the error of init_module(2) as insmod puts it, and its own log. */

export interface Refusal {
  /** One clause; empty when nothing is known. */
  readonly why: string;
  /** What to do; empty when nothing is known. */
  readonly next: string;
}

/** First match wins. kmod and busybox put the same errors in slightly different words. */
const byLog: readonly (readonly [RegExp, string, string])[] = [
  [
    /pre-patch callback failed for object/,
    'a pre-patch callback of the bundle refused',
    'its own words should stand in the kernel’s log; nothing was changed',
  ],
  [
    /not compatible with the already installed livepatches/,
    'its states (klp_state) are older than those of a livepatch that is loaded',
    'load a bundle that knows the states of the loaded one, or revert that first',
  ],
  [
    /symbol '.*' not found|unresolvable symbol|unresolved old_|symbol .* (ambiguous|not found)/,
    'a symbol that the bundle refers to is not in this kernel',
    'build the bundle again for exactly this kernel and these modules',
  ],
  [
    /disagrees about version of symbol/,
    'an exported function has another type here (CRC)',
    'build the bundle again for exactly this kernel',
  ],
  [/Unknown symbol/i, 'it needs a symbol that no loaded module exports', 'build the bundle again for this kernel'],
  [/version magic/, 'it was built for another kernel', 'build the bundle again for exactly this kernel'],
  [
    /Lockdown: .*unsigned module|unsigned module loading is restricted/,
    'lockdown lets signed modules in only',
    'sign the module with a key that this machine knows (mokutil)',
  ],
  [
    /failed to (register|add) ftrace handler|failed to set ftrace filter|failed to register ftrace/,
    'something else redirects one of the functions through ftrace',
    'livegraft load --dry-run names it; take it away first',
  ],
];

const bySaid: readonly (readonly [RegExp, string, string])[] = [
  [
    /device or resource busy/i,
    'another livepatch is in transition, or something else redirects one of the functions',
    'livegraft watch, then load again',
  ],
  [/file exists/i, 'a module of this name is loaded', 'livegraft list'],
  [
    /key was rejected|required key not available/i,
    'this kernel wants a signature by a key that it knows',
    'sign the module with a key that this machine knows (mokutil)',
  ],
  [/operation not permitted/i, 'not root, lockdown, or kernel.modules_disabled', 'livegraft load --dry-run says which'],
  [/invalid (module|file) format/i, 'built for another kernel, or damaged', 'build the bundle again for this kernel'],
  [/unknown symbol/i, 'it needs a symbol that this kernel does not have', 'build the bundle again for this kernel'],
  [/wrong symbol version/i, 'an exported function has another type here', 'build the bundle again for this kernel'],
  [/invalid (argument|parameter)/i, 'the livepatch core does not accept what it registers', ''],
  [/no such device/i, 'livepatching is switched off in this kernel', ''],
  [/cannot allocate memory/i, 'there is no memory for it', 'free some memory, then load again'],
];

export function explainRefusal(said: string, log: readonly string[]): Refusal {
  const text = log.join('\n');
  const found = byLog.find(([pattern]) => pattern.test(text)) ?? bySaid.find(([pattern]) => pattern.test(said));
  if (found === undefined) return { why: '', next: '' };
  const object = /pre-patch callback failed for object '([^']+)'/.exec(text)?.[1];
  return { why: object === undefined ? found[1] : `${found[1]}, for ${object}: ${said}`, next: found[2] };
}
