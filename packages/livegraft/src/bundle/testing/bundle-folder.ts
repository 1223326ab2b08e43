/** A bundle on disk as a build leaves it, with a module of some bytes. */
import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bundle, readBundle } from '../bundle.ts';
import type { Manifest } from '../manifest.ts';
import type { Review } from '../review.ts';

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

/** Two patches, so that patch.diff must be taken apart. */
export const patches = ['--- one\n', '--- two, which is longer\n'] as const;

/** In a new folder, which the caller removes. */
export function bundleFolder(name = 'livegraft_fix', module = 'elf'): Promise<Bundle> {
  const path = mkdtempSync(join(tmpdir(), 'livegraft-bundle-'));
  const hash = sha256(module);
  const manifest: Manifest = {
    schema: 1,
    name,
    livegraft: '0.2.0',
    kernel: {
      name: '6.1.0-55-amd64',
      release: '6.1.0-55-amd64',
      buildId: 'ab'.repeat(20),
      vermagic: '',
      configHash: '00',
      banner: '',
    },
    module: { file: `${name}.ko`, size: module.length, sha256: hash, buildId: hash.slice(0, 40) },
    patches: patches.map((text, i) => ({ name: `${i}.patch`, size: text.length, sha256: sha256(text) })),
    cves: [],
    replace: false,
    targets: [],
    units: [],
    functions: [],
    added: [],
    toolchain: { compiler: 'gcc', linker: 'ld' },
    findings: [],
  };
  const review: Review = {
    schema: 1,
    name,
    module: hash,
    verdict: { state: 'clear', sentence: 'Nothing was found.' },
    findings: [],
    functions: [],
    added: [],
    data: [],
    types: [],
  };
  writeFileSync(join(path, `${name}.ko`), module);
  writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifest));
  writeFileSync(join(path, 'review.json'), JSON.stringify(review));
  writeFileSync(join(path, 'patch.diff'), patches.join(''));
  writeFileSync(join(path, 'glue.c'), '/* glue */\n');
  return readBundle(path);
}
