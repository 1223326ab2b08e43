/** Targets that work on text: patches, saved commands, manifests, what a guest writes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBundle } from '../../bundle/bundle.ts';
import { parseCommand } from '../../kbuild/command.ts';
import { savedCommand } from '../../kbuild/shell.ts';
import { parseBanner } from '../../kernel/banner.ts';
import { parseSymvers } from '../../kernel/symvers.ts';
import { applyPatches } from '../../patch/apply.ts';
import { formatFile } from '../../patch/format.ts';
import { markLines } from '../../patch/lines.ts';
import { parsePatch } from '../../patch/parse.ts';
import { applyPlaced, placeHunks, renumber } from '../../patch/place.ts';
import { scopePatches } from '../../patch/scope.ts';
import { byteString, bytesOf, splitLines } from '../../patch/text.ts';
import { causeOfDeath, parseConsole } from '../../vm/console.ts';
import { LineCutter, parseGuestLine } from '../../vm/protocol.ts';
import { TrialRecord } from '../../vm/record.ts';
import { byteMutators, type Mutator } from './bytes.ts';
import type { Target } from './targets.ts';
import { jsonMutators, textMutators } from './text.ts';

const mutators = { ...textMutators, ...byteMutators };

function onText(
  name: string,
  seeds: readonly string[],
  run: Target['run'],
  more: Readonly<Record<string, Mutator>> = {},
): Target {
  return {
    name,
    takes: 'other',
    seeds: () => seeds.map((text) => bytesOf(text)),
    mutators: { ...mutators, ...more },
    errors: 'livegraft',
    run,
  };
}

const source = `#include <linux/fs.h>
/* a comment */
#ifdef CONFIG_X
static int count;
#else
static int other;
#endif

static int helper(int a)
{
\tif (WARN_ON(a < 0))
\t\treturn -1;
\treturn a + 1;
}

int main(void)
{
\tchar c = '{';
\tpr_info("a \\"string\\" // %d\\n", helper(c));
\treturn 0;
}
`;

const patches: readonly string[] = [
  `From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001
From: A <a@example.org>
Subject: [PATCH v2 1/2] fs: =?utf-8?q?add_=C3=A4?= a
 check
Content-Transfer-Encoding: 8bit

---
 fs/file.c | 3 ++-
diff --git a/fs/file.c b/fs/file.c
index 123..456 100644
--- a/fs/file.c
+++ b/fs/file.c
@@ -9,6 +9,7 @@ #endif
 static int helper(int a)
 {
 \tif (WARN_ON(a < 0))
+\t\t/* never */
 \t\treturn -1;
 \treturn a + 1;
 }
@@ -17,5 +18,5 @@ int main(void)
 {
 \tchar c = '{';
 \tpr_info("a \\"string\\" // %d\\n", helper(c));
-\treturn 0;
+\treturn 1;
 }
--${' '}
2.39
`,
  `--- a/fs/file.c.orig\t2026-01-01 10:00:00.000000000 +0100
+++ b/fs/file.c\t2026-01-02 10:00:00.000000000 +0100
@@ -1,4 +1,5 @@
+#include <linux/mm.h>
 #include <linux/fs.h>
 /* a comment */
 #ifdef CONFIG_X
 static int count;
`,
  `diff --git "a/Documentation/\\303\\244.rst" "b/Documentation/\\303\\244.rst"
new file mode 100644
--- /dev/null
+++ "b/Documentation/\\303\\244.rst"
@@ -0,0 +1 @@
+text
\\ No newline at end of file
diff --git a/fs/old.c b/fs/new.c
similarity index 90%
rename from fs/old.c
rename to fs/new.c
diff --git a/fs/gone.c b/fs/gone.c
deleted file mode 100644
--- a/fs/gone.c
+++ /dev/null
@@ -1 +0,0 @@
-int gone;
`,
];

const commands: readonly string[] = [
  `savedcmd_fs/file.o := gcc-12 -Wp,-MMD,fs/.file.o.d -nostdinc -I./include -D__KERNEL__ -DKBUILD_BASENAME='"file"' -DX="a b" -DY=\\"c\\" -fno-strict-aliasing -c -o fs/file.o fs/file.c ; ./tools/objtool/objtool --orc --retpoline fs/file.o\n\nsource_fs/file.o := fs/file.c\n`,
  `cmd_fs/file.o := gcc-12 -DMODULE '-DKBUILD_MODNAME="ext4"' -DZ='$$(pound)' -c -o fs/file.o fs/file.c && strip fs/file.o\n`,
];

const consoles: readonly string[] = [
  `[    1.0] livegraft: step 1 begins
[    2.012345] [   T77] ------------[ cut here ]------------
[    2.012346] WARNING: CPU: 0 PID: 77 at fs/ext4/mballoc.c:123 ext4_f+0x1c/0x40 [ext4]
[    2.012350] RIP: 0010:ext4_f+0x1c/0x40 [ext4]
[    2.012360] Call Trace:
[    2.012361]  <TASK>
[    2.012362]  do_sys_open+0x1/0x2
[    2.012370] ---[ end trace 0000000000000000 ]---
[    3.0] livegraft: step 1 ended
[    4.0] BUG: kernel NULL pointer dereference, address: 0000000000000008
[    4.1] Oops: 0000 [#1] PREEMPT SMP
[    4.2] Kernel panic - not syncing: Fatal exception
`,
  `rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\r\nINFO: task sh:12 blocked for more than 120 seconds.\r\nlivepatch: enabling patch 'x'\nOut of memory: Killed process 3 (x)\n`,
];

const channel = [
  'hello 3.13 1 6.1.0-55-amd64',
  'alive 3.2 ',
  'begin 4.00 1 45056',
  'output 4.00 1 AP8K',
  'blocker 4.00 1 77 S a comm ) x',
  'stack 4.00 1 77 do_nanosleep+0x5b/0x120',
  'sample 4.00 1 1 3 46',
  'cut 4.0 1',
  'end 5.10 1 0 0',
  'skip 5.10 2 ',
  'exit 5.10 7',
  'trouble 5.1 no module',
  'done 5.10 ',
].join('\n');

const manifest = {
  schema: 1,
  name: 'patch',
  livegraft: '0.1.0',
  kernel: { name: '6.1', release: '6.1', buildId: 'ab', vermagic: '6.1 SMP', configHash: 'cd', banner: 'Linux' },
  module: {
    file: 'patch.ko',
    size: 3,
    sha256: 'edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb',
    buildId: 'ef',
  },
  patches: [{ name: 'a.patch', subject: 'fix', sha256: '01' }],
  cves: ['CVE-2026-1'],
  replace: false,
  targets: [{ object: 'vmlinux', buildId: 'ab', functions: 1, forgets: false }],
  units: [{ source: 'fs/file.c', object: 'vmlinux', proved: { equal: 2, compared: 2 } }],
  functions: [
    {
      name: 'main',
      object: 'vmlinux',
      unit: 'fs/file.c',
      sympos: 0,
      oldSize: 1,
      newSize: 2,
      why: 'code differs',
      provenance: 'equal',
    },
  ],
  added: [{ kind: 'function', name: 'f', unit: 'fs/file.c', size: 3 }],
  toolchain: { compiler: 'gcc', linker: 'ld' },
  findings: [{ code: 'a', severity: 'note', message: 'b', place: 'c', hint: 'd' }],
};

const includes = {
  includersOf: (path: string) =>
    path === 'fs/part.c' ? ['fs/file.c'] : path === 'fs/file.c' ? ['fs/part.c', 'fs/file.c'] : [],
  isUnit: (path: string) => path !== 'fs/part.c',
};

export const textTargets: readonly Target[] = [
  onText('patch', patches, (input) => {
    const patch = parsePatch('input.patch', input);
    const lines = splitLines(source);
    for (const file of patch.files) {
      const { placed } = placeHunks(patch.name, file, lines);
      const applied = applyPlaced(lines, placed);
      markLines(applied.lines, applied.origins);
      parsePatch('again.patch', bytesOf(formatFile(file, renumber(placed))));
    }
    scopePatches([patch], includes);
    return 'value';
  }),
  // git must take what we take, and make the same of it
  onText('apply', patches.slice(0, 2), async (input) => {
    const patch = parsePatch('input.patch', input);
    const folder = mkdtempSync(join(tmpdir(), 'livegraft-fuzz-'));
    try {
      for (const path of ['tree/fs', 'scratch']) mkdirSync(join(folder, path), { recursive: true });
      writeFileSync(join(folder, 'tree/fs/file.c'), source, 'latin1');
      const options = { patches: [patch], source: join(folder, 'tree'), scratch: join(folder, 'scratch') };
      const { files } = await applyPatches({ ...options, paths: new Set(patch.files.map((file) => file.path)) });
      return files.size > 0 ? 'applied' : 'nothing';
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }),
  onText('lines', [source], (input) => {
    const lines = splitLines(byteString(input));
    markLines(
      lines,
      lines.map((_, i) => (i % 7 === 3 ? undefined : i + 5)),
    );
    return 'value';
  }),
  onText('command', commands, (input) => {
    const line = savedCommand(byteString(input), 'fs/file.o');
    if (line === undefined) return 'none';
    parseCommand('fs/file.c', line, 'fs/file.o', 'fs/file.c');
    return 'value';
  }),
  onText(
    'bundle',
    [JSON.stringify(manifest)],
    async (input) => {
      const folder = mkdtempSync(join(tmpdir(), 'livegraft-fuzz-'));
      try {
        writeFileSync(join(folder, 'manifest.json'), input);
        writeFileSync(join(folder, 'patch.ko'), 'abc\n');
        return (await readBundle(folder)).manifest.name === 'patch' ? 'value' : 'another name';
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    jsonMutators,
  ),
  onText('console', consoles, (input) => {
    const findings = parseConsole(byteString(input));
    causeOfDeath(findings);
    return findings.length > 0 ? 'findings' : 'nothing';
  }),
  onText('channel', [channel], (input) => {
    const cutter = new LineCutter(4096);
    const script = { kind: 'mark', name: 'x', when: 'ok', need: 'must', timeout: 10 } as const;
    const record = new TrialRecord([
      { ...script, number: 1 },
      { ...script, number: 2 },
    ]);
    let events = 0;
    for (let at = 0; at < input.length; at += 1000) {
      for (const line of cutter.push(input.subarray(at, at + 1000))) {
        const event = parseGuestLine(line);
        if (event === undefined) continue;
        record.take(event);
        events++;
      }
    }
    return events > 0 ? 'events' : 'nothing';
  }),
  onText(
    'symvers',
    ['0x12345678\tf\tvmlinux\tEXPORT_SYMBOL_GPL\t\n0x1\tg\tfs/jbd2/jbd2\tEXPORT_SYMBOL\tNS\n'],
    (input) => {
      parseSymvers(byteString(input));
      parseBanner(byteString(input));
      return 'value';
    },
  ),
];
