// npm run kallsyms -- RELEASE…: boots each kernel of the cache and compares what livegraft read from its image with its own /proc/kallsyms,
// symbol for symbol: names, types, order, and the distance of every address from _text (the guest has KASLR).
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { nodePackages, root } from '../scripts/setup.mjs';

nodePackages();
const dist = join(root, 'packages/livegraft/dist');
const { openKernel } = await import(join(dist, 'kernel/store.js'));
const { readImage } = await import(join(dist, 'kernel/image.js'));
const run = promisify(execFile);

for (const release of process.argv.slice(2)) {
  const started = performance.now();
  const image = await readImage(await openKernel(release));
  const program = join(root, 'packages/livegraft/bin/livegraft.js');
  const args = ['vm', release, '--no-share', '--quiet', '--', 'cat', '/proc/kallsyms'];
  const { stdout } = await run(process.execPath, [program, ...args], { maxBuffer: 64 << 20 });
  // modules, BPF programs and ftrace trampolines stand behind the kernel's own, with their owner's name
  const own = stdout.split('\n').filter((line) => line !== '' && !line.includes('\t['));
  const ours = image.symbols.all;
  const guest = own.map((line) => {
    const [address, type, name] = line.split(' ');
    return { address: BigInt(`0x${address}`), type, name };
  });
  const base = (symbols) => symbols.find(({ name }) => name === '_text').address;
  const shift = base(guest) - base(ours);
  let fixed = 0;
  const wrong = [];
  for (let i = 0; i < Math.max(ours.length, guest.length); i++) {
    const [mine, theirs] = [ours[i], guest[i]];
    if (mine?.name === theirs?.name && mine?.type === theirs?.type) {
      if (mine.address + shift === theirs.address) continue;
      // per-CPU and absolute symbols do not move
      if (mine.address === theirs.address) {
        fixed++;
        continue;
      }
    }
    wrong.push(`${i}: ${show(mine)} in the image, ${show(theirs)} in the guest`);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `${release}: ${ours.length} symbols in the image, ${guest.length} in the guest, moved by 0x${shift.toString(16)}, ${fixed} that do not move, ${wrong.length} wrong, ${seconds} s`,
  );
  for (const line of wrong.slice(0, 10)) console.log(`  ${line}`);
  if (wrong.length > 0) process.exitCode = 1;
}

function show(symbol) {
  return symbol === undefined ? 'nothing' : `${symbol.name} (${symbol.type}) at 0x${symbol.address.toString(16)}`;
}
