// The livepatch of the soak: functions that its load is in all the time, each saying once a load that the new one runs.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** File → text and what comes before it. */
const edits = {
  'fs/pipe.c': ['\tret = 0;\n\t__pipe_lock(pipe);\n', 'pipe_read'],
  'net/ipv4/tcp.c': [
    '\tlock_sock(sk);\n\tret = tcp_sendmsg_locked(sk, msg, size);\n',
    'tcp_sendmsg',
    '\tif (unlikely(flags & MSG_ERRQUEUE))\n\t\treturn inet_recv_error(sk, msg, len, addr_len);\n\n\tif (sk_can_busy_loop(sk) &&\n',
    'tcp_recvmsg',
  ],
};

/** What the new functions say. */
export const saying = 'livegraft soak: the new';
/** The functions that are replaced. */
export const hotFunctions = ['pipe_read', 'tcp_sendmsg', 'tcp_recvmsg'];

/** Writes the patch for this kernel's source; returns its path. Throws when the source is another one than expected. */
export function writeHotPatch(source, folder) {
  for (const [path, pairs] of Object.entries(edits)) {
    const text = readFileSync(join(source, path), 'latin1');
    let patched = text;
    for (let i = 0; i < pairs.length; i += 2) {
      const [place, name] = pairs.slice(i, i + 2);
      if (text.split(place).length !== 2) throw new Error(`${path} of ${source} has not the expected ${name}()`);
      patched = patched.replace(place, () => `\tpr_info_once("${saying} ${name}() runs\\n");\n${place}`);
    }
    for (const [side, content] of Object.entries({ a: text, b: patched })) {
      const file = join(folder, side, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content, 'latin1');
    }
  }
  // exit code 1: there are differences
  const { stdout } = spawnSync('git', ['diff', '--no-index', '--no-prefix', 'a', 'b'], { cwd: folder });
  const patch = join(folder, 'hot.patch');
  writeFileSync(patch, stdout);
  return patch;
}
