// Imports go downwards only (ARCHITECTURE.md): a file may import from its own folder and from folders of lower layers.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { root } from './setup.mjs';

/** From top to bottom; folders of one layer do not import each other. */
const layers = [
  ['cli'],
  ['demo'],
  ['build', 'trial', 'live'],
  ['review', 'report'],
  ['klp', 'verify', 'vm', 'host', 'kbuild', 'bundle'],
  ['provenance'],
  ['objdiff', 'kernel', 'patch'],
  ['support'],
  ['diagnostics'],
];
/** Folders that see less than their layer would let them: the checker must not share the builder's code, nor its mistakes. */
const only = new Map([['verify', ['kernel', 'support', 'diagnostics']]]);
const src = join(root, 'packages/livegraft/src');
const layerOf = (folder) => layers.findIndex((layer) => layer.includes(folder));
const problems = [];

for (const file of readdirSync(src, { recursive: true }).filter((name) => name.endsWith('.ts'))) {
  const folder = file.includes('/') ? file.split('/')[0] : undefined;
  if (folder === undefined || folder === 'testing') continue;
  if (layerOf(folder) < 0) problems.push(`${file}: the folder ${folder} has no layer in scripts/check-imports.mjs`);
  for (const [, from] of readFileSync(join(src, file), 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
    const target = relative(src, resolve(src, dirname(file), from));
    const other = target.includes('/') ? target.split('/')[0] : undefined;
    if (other === undefined || other === '..' || other === folder || target === 'version.ts') continue;
    if (file.endsWith('.test.ts') || file.endsWith('.case.ts') || file.endsWith('.vm.ts') || file.includes('/testing/'))
      continue;
    if (only.get(folder)?.includes(other) === false)
      problems.push(`${file} imports ${target}: ${folder} knows ${only.get(folder).join(', ')} and nothing else`);
    if (layerOf(other) <= layerOf(folder)) problems.push(`${file} imports ${target}: ${folder} may not know ${other}`);
  }
}
for (const file of readdirSync(join(root, 'packages/binfmt/src'), { recursive: true }).filter((name) =>
  name.endsWith('.ts'),
)) {
  if (file.endsWith('.test.ts') || file.includes('testing/')) continue;
  for (const [, from] of readFileSync(join(root, 'packages/binfmt/src', file), 'utf8').matchAll(
    /from\s*'(node:[^']+)'/g,
  )) {
    problems.push(`binfmt/${file} imports ${from}: bytes in, values out, nothing else`);
  }
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exit(problems.length === 0 ? 0 : 1);
