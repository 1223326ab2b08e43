import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { reportHtml } from './report.ts';
import { isPatch, reportContent } from './testing/content.ts';

test('reportHtml: every part is there, the places of findings lead to the patch, and what is linked exists once', () => {
  expect(isPatch).toBe(true);
  const page = reportHtml(reportContent());
  for (const text of [
    'One finding needs your judgement.',
    'lock-side-moved',
    'called-often</code> in 3 places',
    'CVE-2026-1234',
    'number 2 of its name (sympos)',
    'livepatch symbol',
    'Source of one(), fs/one.c',
    'Machine code of one',
    'used by <a href="#replaced-1"><code>one</code></a>',
    'on one stack',
    'sleeper (7, S)',
    'pipe_read+0x10',
    'stalled (exit code 6)',
    'K: live patched',
    '… cut here',
    '1 references are left to the builder’s word',
    'livegraft build patch.diff --kernel 6.1.0-55-amd64 --name livegraft_one --replace',
  ])
    expect(page).toContain(text);
  // the chain leads to the changed line, and so does the finding; a line that the patch does not show is no link
  expect(page).toContain('inlined <a href="#new-1"><code>two</code></a>');
  expect(page).toContain('<a href="#after-fs_one.c-10"><code>fs/one.c:10</code></a>');
  expect(page).toContain('<code>fs/one.c:900</code> <span class="side">after</span>');
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, to] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(to);
});

test('reportHtml: nothing from outside becomes a tag, an attribute or a turn of the writing', () => {
  const page = reportHtml(reportContent('"\'><img src=x onerror=alert(1)>\u202e\u200b\u0007'));
  expect(page).not.toContain('<img');
  expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;⟨U+202E⟩⟨U+200B⟩⟨U+0007⟩');
  for (const hidden of ['\u202e', '\u200b', '\u0007']) expect(page.includes(hidden)).toBe(false);
  expect(page.match(/<script/g)).toHaveLength(1);
});

test('reportHtml: its policy lets its own script and style in, and nothing else', () => {
  const page = reportHtml(reportContent());
  const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)![1]!.replaceAll('&#39;', "'");
  const part = (tag: string): string => new RegExp(`<${tag}>(.*?)</${tag}>`, 's').exec(page)![1]!;
  const hash = (tag: string): string => `'sha256-${createHash('sha256').update(part(tag)).digest('base64')}'`;
  expect(policy.split('; ')).toEqual([
    "default-src 'none'",
    `style-src ${hash('style')}`,
    `script-src ${hash('script')}`,
    "base-uri 'none'",
    "form-action 'none'",
  ]);
  // no attribute that the policy would not let through
  expect(page).not.toMatch(/ style=| on\w+=/);
  expect(page).not.toMatch(/https?:|\/\/\w/);
});

test('reportHtml: the same content gives the same bytes', () => {
  expect(reportHtml(reportContent())).toBe(reportHtml(reportContent()));
});

test('reportHtml: before a trial, with callbacks only, without findings', () => {
  const { evidence, ...content } = reportContent();
  const page = reportHtml({
    ...content,
    manifest: { ...content.manifest, functions: [] },
    review: {
      ...content.review,
      verdict: { state: 'clear', sentence: 'Nothing was found that needs a person’s judgement.' },
      findings: [],
      functions: [],
      data: [],
      types: [],
    },
  });
  expect(evidence).toBeDefined();
  for (const text of [
    'Not tried in a virtual machine yet',
    'livegraft try livegraft_one',
    'the livepatch consists of callbacks',
    'Nothing was found.',
    'no variable comes along',
  ])
    expect(page).toContain(text);
});
