/** Problems with compiling units: kbuild, the compiler, the overlay of patched sources. */
import { define, Exit } from './diagnostic.ts';

interface Source extends Record<string, unknown> {
  source: string;
}
const atSource = ({ source }: Source): string => source;

export const unitNotBuilt = define<Source & { output: string }>('unit-not-built', {
  place: atSource,
  message: ({ source, output }) => `kbuild does not build ${source} for this kernel:\n${output}`,
  hint: 'only .c files that kbuild compiles into an object of their own can be live-patched',
});

export const unitsNotListed = define<{ kernel: string; output: string }>('units-not-listed', {
  exit: Exit.failed,
  message: ({ kernel, output }) => `kbuild does not list the units of ${kernel}:\n${output}`,
  hint: 'remove the kernel and fetch it again; if that does not help, please report it with the kernel release',
});

export const unitDisabled = define<Source & { kernel: string }>('unit-disabled', {
  place: atSource,
  message: ({ source, kernel }) => `${source} is not part of ${kernel}: its configuration leaves the file out`,
  hint: 'this kernel does not have the code that the patch changes, so it needs no patch',
});

export const includerDisabled = define<Source>('includer-disabled', {
  severity: 'note',
  exit: Exit.done,
  place: atSource,
  message: ({ source }) => `${source} includes a changed file, but the kernel's configuration leaves it out`,
});

export const headerUnits = define<{ headers: string; including: number; compiled: number; changed: number }>(
  'header-units',
  {
    severity: 'note',
    exit: Exit.done,
    place: ({ headers }) => headers,
    message: ({ including, compiled, changed }) =>
      `${including} units of this kernel include it; ${compiled} can depend on the change and were compiled; the code of ${changed} changes`,
  },
);

export const headerUnused = define<{ headers: string }>('header-unused', {
  exit: Exit.nothingToDo,
  place: ({ headers }) => headers,
  message: () => 'Nothing to do: no code of this kernel changes with it',
});

export const generatedCodeChange = define<Source & { headers: string }>('generated-code-change', {
  place: atSource,
  message: ({ source, headers }) =>
    `${source} makes source text from ${headers} while the kernel is built, which a live patch cannot do again`,
  hint: 'make the change in the .c files that need it',
});

export const notCompared = define<Source & { headers: string }>('not-compared', {
  severity: 'warning',
  exit: Exit.done,
  place: atSource,
  message: ({ source, headers }) =>
    `${source} may include ${headers}, but kbuild does not tell how it is compiled: it stays as it is`,
});

export const doesNotCompile = define<Source & { output: string; command?: string }>('does-not-compile', {
  place: atSource,
  message: ({ source, output }) => `${source} does not compile:\n${output}`,
  hint: 'the patch may need another one that came before it',
});

export const unitShared = define<Source & { modules: readonly string[] }>('unit-shared', {
  place: atSource,
  message: ({ source, modules }) =>
    `${source} is linked into several modules (${modules.join(', ')}), which is not supported`,
});

export const commandNotUnderstood = define<Source & { problem: string; command: string }>('command-not-understood', {
  place: atSource,
  message: ({ source, problem, command }) =>
    `The command by which kbuild compiles ${source} is not understood: ${problem}\n${command.length > 300 ? `${command.slice(0, 300)} …` : command}`,
  hint: 'this is a limit of livegraft: please report it with the kernel release',
});

export const configDrifted = define<{ file: string }>('config-drifted', {
  exit: Exit.provenance,
  message: ({ file }) =>
    `kbuild changed the pinned configuration (${file}) of this kernel's build tree while compiling`,
  hint: 'remove the kernel and fetch it again (`livegraft kernel remove`, `livegraft kernel fetch`)',
});

export const overlayLeaks = define<Source & { file: string }>('overlay-leaks', {
  place: atSource,
  message: ({ source, file }) =>
    `${source} includes the unpatched ${file} by a path that leads around the patched source tree`,
  hint: 'this is a limit of livegraft: please report it with the patch',
});

export const postFailed = define<Source & { program: string; output: string }>('post-failed', {
  exit: Exit.failed,
  place: atSource,
  message: ({ source, program, output }) => `${program} failed on the object of ${source}:\n${output}`,
});

export const objtoolMissing = define<{ source: string; kernel: string }>('objtool-missing', {
  place: ({ source }) => source,
  message: ({ kernel }) =>
    `${kernel} has ORC unwind tables, but the compiled unit has none: kbuild keeps objtool from it (OBJECT_FILES_NON_STANDARD), and without its tables return sites and stacks of the new code would be wrong`,
  hint: 'patch the functions that call it instead',
});
