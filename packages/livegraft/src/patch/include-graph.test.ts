import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type IncludeGraph, readIncludeGraph } from './include-graph.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'livegraft-graph-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(tree: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, tree, path)), { recursive: true });
    writeFileSync(join(root, tree, path), text);
  }
}

const read = (): Promise<IncludeGraph> =>
  readIncludeGraph({ source: join(root, 'src'), build: join(root, 'build') }, join(root, 'graph.json'));

describe('readIncludeGraph', () => {
  test('through other headers, generated ones, links and macros; not by a name that a neighbour has', async () => {
    write('src', {
      'include/linux/a.h': '',
      'include/linux/b.h': '#  include <linux/a.h> /* why */\n',
      'fs/own.h': '#include <linux/slab.h>\n',
      'fs/f.c': '#include "own.h"\n#include <linux/b.h>\n',
      'mm/own.h': '#include <linux/slab.h>\n',
      'mm/m.c': '#include "own.h"\n',
      'lib/l.c': '#include <generated/g.h>\n',
      'lib/s.S': '\t#include <linux/b.h>\n',
      'net/trace.h': '#define TRACE_SYSTEM net\n#define TRACE_INCLUDE_FILE net_more\n#include <trace/define_trace.h>\n',
      'net/net_more.h': '#include <linux/slab.h>\n',
      'include/trace/define_trace.h': '#include TRACE_INCLUDE(TRACE_INCLUDE_FILE)\n',
      'drivers/d/d.c': '#include GENERIC_FILE\n',
      'drivers/d/d.h': '#define GENERIC_FILE <linux/generic.h>\n',
      'include/linux/generic.h': '#include <linux/slab.h>\n',
      'drivers/e/sub/e.c': '#include "../up.h"\n',
      'drivers/e/up.h': '#include <linux/slab.h>\n',
      'arch/x86/k.c': '#include <linux/link.h>\n',
      'arch/arm/k.c': '#include <linux/a.h>\n',
      'tools/t.c': '#include <linux/a.h>\n',
    });
    write('build', { 'include/generated/g.h': '#include <linux/a.h>\n', 'drivers/made.c': '#include <linux/a.h>\n' });
    symlinkSync('a.h', join(root, 'src/include/linux/link.h'));
    const searched = await read();
    rmSync(join(root, 'src'), { recursive: true });
    // the second time from what the first one kept
    for (const graph of [searched, await read()]) {
      const includers = (path: string): string[] => [...graph.includersOf([path])].sort();
      expect(includers('include/linux/a.h')).toEqual([
        'arch/x86/k.c',
        'drivers/made.c',
        'fs/f.c',
        'include/generated/g.h',
        'include/linux/b.h',
        'include/linux/link.h',
        'lib/l.c',
        'lib/s.S',
      ]);
      expect(includers('fs/own.h')).toEqual(['fs/f.c']);
      expect(includers('net/net_more.h')).toEqual(['net/trace.h']);
      expect(includers('include/linux/generic.h')).toEqual(['drivers/d/d.h']);
      expect(includers('drivers/e/up.h')).toEqual(['drivers/e/sub/e.c']);
      expect([...graph.climbing]).toEqual(['drivers/e/sub/e.c']);
    }
  });

  test('includesByPath: as programs of the build do', async () => {
    write('src', {
      'lib/gen.c': '#include <linux/a.h>\n#include "../include/linux/b.h"\n',
      'include/linux/b.h': '#include "c.h"\n',
      'include/linux/c.h': '#include <linux/a.h>\n',
      'arch/x86/x.c': '',
    });
    write('build', { 'arch/x86/x.h': '' });
    const graph = await read();
    expect(graph.includesByPath('lib/gen.c', ['include/linux/c.h'])).toBe(true);
    expect(graph.includesByPath('lib/gen.c', ['include/linux/a.h'])).toBe(false);
  });
});
