/** A small report's content, every part of it filled. */
import { parsePatch } from '../../patch/parse.ts';
import type { ReportContent } from '../report.ts';

const patch = `Subject: one: less

Why it is.
---
--- a/fs/one.c
+++ b/fs/one.c
@@ -9,4 +9,4 @@ int one(void)
 {
-	take(&lock);
+	take(&other);
 	give(&lock);
 }
`;

const hash = 'ab'.repeat(32);

/** @param mark goes into each text that comes from outside */
export function reportContent(mark = ''): ReportContent {
  const name = `one${mark}`;
  const instruction = (offset: number, text: string) => ({ offset, bytes: 'e8', text: `${text}${mark}` });
  const reference = { name: `take${mark}`, how: 'klp' as const, object: `vmlinux${mark}`, position: 2, uses: 1 };
  const companions = [{ section: `.altinstructions${mark}`, entries: 1, bytes: 12 }];
  const excerpt = (line: number, text: string) => ({
    file: `fs/one.c${mark}`,
    line,
    lines: [`int one(void)${mark}`, text],
  });
  const bytes = Buffer.from(mark === '' ? patch : `${patch}${mark}\n`);
  const field = (offset: number, type: string) => ({
    offset,
    bit: 0,
    bits: 32,
    type: `${type}${mark}`,
    name: `f${mark}`,
  });
  const finding = { code: 'lock-side-moved', place: `fs/one.c${mark}`, hint: `look at take()${mark}` };
  const spot = { file: 'fs/one.c', line: 10, side: 'patched' as const, what: `one() takes it${mark}` };
  return {
    manifest: {
      schema: 1,
      name: 'livegraft_one',
      livegraft: '0.1.0',
      kernel: {
        name: `6.1.0-55-amd64${mark}`,
        release: `6.1.0-55-amd64${mark}`,
        buildId: hash,
        vermagic: `6.1.0${mark}`,
        configHash: hash,
        banner: `Linux${mark}`,
      },
      module: { file: 'livegraft_one.ko', size: 4096, sha256: hash, buildId: hash },
      patches: [{ name: `one.patch${mark}`, subject: `one: less${mark}`, size: bytes.length, sha256: hash }],
      cves: [`CVE-2026-1234${mark}`],
      replace: true,
      targets: [{ object: `vmlinux${mark}`, buildId: hash, functions: 1, forgets: false }],
      units: [
        {
          source: `fs/one.c${mark}`,
          object: `vmlinux${mark}`,
          proved: {
            equal: 1,
            compared: 3,
            functions: { [name]: 'equal', [`weak${mark}`]: 'overridden', [`begin${mark}`]: 'start-up' },
          },
        },
      ],
      functions: [
        {
          name,
          object: 'vmlinux',
          unit: `fs/one.c${mark}`,
          sympos: 2,
          oldSize: 16,
          newSize: 20,
          why: `inlined two(), which changed at fs/one.c:10${mark}`,
          causes: [
            { kind: 'inlined', name: `two${mark}` },
            { kind: 'source', file: 'fs/one.c', line: 10 },
          ],
          provenance: 'equal',
        },
      ],
      added: [],
      verified: { functions: 1, instructions: 4, references: 2, undecided: 1 },
      toolchain: { compiler: `gcc${mark}`, linker: `ld${mark}` },
      findings: [],
    },
    review: {
      schema: 1,
      name: 'livegraft_one',
      module: hash,
      verdict: { state: 'judgement', sentence: `One finding needs your judgement.${mark}` },
      findings: [
        {
          ...finding,
          severity: 'warning',
          message: `The lock moved${mark}\n  a | b${mark}`,
          spots: [
            { ...spot, excerpt: { first: 9, lines: [`{${mark}`, `take(&other);${mark}`] } },
            { ...spot, line: 900 },
          ],
          functions: [name, `unknown${mark}`],
        },
        ...[1, 2, 3].map((n) => ({
          ...finding,
          code: 'called-often',
          severity: 'note' as const,
          message: `often ${n}${mark}`,
        })),
      ],
      functions: [
        {
          name,
          object: `vmlinux${mark}`,
          unit: `fs/one.c${mark}`,
          source: [
            {
              kind: 'function',
              name,
              before: excerpt(9, `take(&lock);${mark}`),
              after: excerpt(9, `take(&other);${mark}`),
            },
          ],
          code: [
            {
              name,
              rows: [
                { same: true, before: instruction(0, 'call __fentry__'), after: instruction(0, 'call __fentry__') },
                { same: false, before: instruction(5, 'mov lock'), after: instruction(5, 'mov other') },
                { same: false, after: instruction(12, 'nop') },
              ],
            },
          ],
          references: [reference, { name: `two${mark}`, how: 'own', uses: 1 }],
          companions,
          leaving: [{ kind: 'sleeps', through: [], text: `waits in wait()${mark}` }],
        },
      ],
      added: [
        {
          name: `two${mark}`,
          object: 'vmlinux',
          unit: `fs/one.c${mark}`,
          size: 3,
          usedBy: [name],
          source: [{ kind: 'function', name: `two${mark}`, after: excerpt(20, `two${mark}`) }],
          code: [{ name: `two${mark}`, rows: [{ same: false, after: instruction(0, 'ret') }] }],
          references: [],
          companions,
        },
      ],
      data: [
        {
          name: `counter${mark}`,
          unit: `fs/one.c${mark}`,
          kind: 'static-local',
          function: name,
          size: 8,
          section: '.bss',
          initial: `zero${mark}`,
          fate: `is lost${mark}`,
        },
      ],
      types: [
        {
          kind: 'struct',
          name: `s${mark}`,
          unit: `fs/one.c${mark}`,
          before: { size: 4, fields: [field(0, 'int')], text: `4 bytes${mark}` },
          after: { size: 8, fields: [field(4, 'int')], text: `8 bytes${mark}` },
          replaced: [name],
          staying: [`three${mark}`],
          accepted: `on one stack${mark}`,
        },
      ],
    },
    patches: [{ name: `one.patch${mark}`, bytes }],
    glue: `/* glue */${mark}\n`,
    evidence: {
      schema: 1,
      verdict: 'failed',
      why: `it failed${mark}`,
      started: '2026-11-28T00:00:00.000Z',
      kernel: { release: `6.1.0${mark}` },
      bundles: { livegraft_one: hash, livegraft_two: hash },
      machine: { qemu: `7.2${mark}`, accel: 'tcg', boot: 'image', cpus: 2, memory: 1024 },
      times: { boot: 8, total: 20 },
      steps: [
        {
          number: 1,
          kind: 'load',
          subject: `livegraft_one${mark}`,
          need: 'must',
          outcome: 'stalled',
          exitCode: 6,
          at: 3,
          seconds: 2,
          output: `said${mark}\n`,
          outputCut: true,
          newTaints: { K: `live patched${mark}` },
          transition: [
            { at: 0.1, inTransition: false, left: 0, tasks: 50, blockers: [] },
            {
              at: 0.5,
              inTransition: true,
              left: 2,
              tasks: 50,
              blockers: [{ tid: 7, comm: `sleeper${mark}`, state: 'S', stack: [`pipe_read+0x10${mark}`] }],
            },
            { at: 1.5, inTransition: true, left: 0, tasks: 50, blockers: [] },
          ],
        },
      ],
      findings: [
        {
          kind: 'livepatch',
          severity: 'note',
          title: "livepatch: 'livegraft_one': starting patching transition",
          step: 1,
          time: 3.3,
          lines: ['x'],
        },
        { kind: 'oops', severity: 'fatal', title: `BUG${mark}`, step: 1, time: 4, lines: [`BUG${mark}`, `RIP${mark}`] },
      ],
    },
  };
}

/** That the patch is one that is read and not shown as it is. */
export const isPatch = parsePatch('one.patch', Buffer.from(patch)).files.length === 1;
