/** What commands in a guest said: scripts tell it by the functions of said.sh. */
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { program } from '../../testing/program.ts';

export interface Said {
  readonly exit: number;
  readonly out: string;
}

/** The first lines of a script: `lg`, `run LABEL COMMAND…`, `wait_for COMMAND…`. */
export const telling = `LG="${process.execPath} ${program}"
. ${fileURLToPath(new URL('said.sh', import.meta.url))}
`;

/** By label, in order; what was not run to its end is not in it. */
export function readSaid(stdout: string): ReadonlyMap<string, Said> {
  return new Map(
    stdout.split(/^### /m).flatMap((part) => {
      const [, label, out, exit] = /^(\S+)\n([\s\S]*?)=== (\d+)\n/.exec(part) ?? [];
      return label === undefined ? [] : [[label, { exit: Number(exit), out: out! }] as const];
    }),
  );
}
