/** The report as a reviewer has it: built, tried, opened in a browser, light and dark, at three widths, by keyboard, on paper. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../build/build.ts';
import { silent } from '../support/progress.ts';
import { sourcePatch } from '../testing/source-patch.ts';
import { testKernel } from '../testing/test-kernel.ts';
import { tryBundles } from '../trial/try.ts';
import { openReport, startBrowser, violations } from './testing/browser.ts';

const kernel = await testKernel();
const mballoc = await readFile(join(kernel.paths.source, 'fs/ext4/mballoc.c'), 'latin1');
/** Debian bug 1154101: IS_ERR() of what is NULL. */
const cured = mballoc
  .replaceAll('!IS_ERR(folio)', 'folio')
  .replaceAll('IS_ERR(folio)', '!folio')
  .replaceAll('PTR_ERR(folio)', '-ENOMEM');
const hasMistake = mballoc !== cured;

let out: string;
let browser: Browser;
const paths: Record<string, string> = {};

async function make(name: string, patch: string): Promise<string> {
  const bytes = Buffer.from(patch, 'latin1');
  const patches = [{ name: `${name}.patch`, bytes }];
  const bundle = await build({ patches, kernel, out, name, replace: false, progress: silent });
  paths[name] = join(bundle.path, 'report.html');
  const page = await readFile(paths[name], 'utf8');
  if (name === 'forty') {
    expect(bundle.manifest.functions.length).toBeGreaterThanOrEqual(40);
    return page;
  }
  expect(page).toContain('Not tried in a virtual machine yet');
  const { evidence } = await tryBundles({ kernel, bundles: [bundle], after: { name: 'say.sh', text: 'echo said so' } });
  expect(evidence.verdict, evidence.why).toBe('passed');
  return readFile(paths[name], 'utf8');
}

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'livegraft-report-'));
  browser = await startBrowser();
  if (hasMistake) await make('ext4_fix', sourcePatch(kernel, { 'fs/ext4/mballoc.c': [mballoc, cured] }));
  const rtnetlink = await readFile(join(kernel.paths.source, 'net/core/rtnetlink.c'), 'latin1');
  const codes = { EINVAL: 'ERANGE', ENODEV: 'ENXIO', EOPNOTSUPP: 'ENOSYS', EMSGSIZE: 'ENOSPC', ENOBUFS: 'ENOMEM' };
  const other = Object.entries(codes).reduce((text, [from, to]) => text.replaceAll(`-${from};`, `-${to};`), rtnetlink);
  await make('forty', sourcePatch(kernel, { 'net/core/rtnetlink.c': [rtnetlink, other] }));
});
afterAll(async () => {
  await browser.close();
  await rm(out, { recursive: true, force: true });
});

/** All functions, or where they are forty one. */
async function openSome(page: Page): Promise<void> {
  const few = (await page.locator('.function').count()) < 10;
  await page.click(few ? '#open-all' : '.function summary');
}

const schemes = ['light', 'dark'] as const;
const widths = [390, 900, 1500];
const looks = schemes.flatMap((colorScheme) => widths.map((width) => ({ colorScheme, width })));

describe.each(hasMistake ? ['ext4_fix', 'forty'] : ['forty'])('%s', (name) => {
  test.each(looks)(
    '%o: no message, no request, nothing over the edge, axe-core content',
    async ({ colorScheme, width }) => {
      const viewport = { width, height: 1000 };
      const { page, said, asked } = await openReport(browser, paths[name]!, { colorScheme, viewport });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      const kept = process.env['LIVEGRAFT_SCREENSHOTS'];
      if (kept !== undefined) await page.screenshot({ path: join(kept, `${name}-${colorScheme}-${width}.png`) });
      await openSome(page);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect({ said, asked }).toEqual({ said: [], asked: [] });
      await page.context().close();
      // forty functions take axe-core a minute
      if (name === 'forty' && (colorScheme === 'dark' || width !== 1500)) return;
      const again = await openReport(browser, paths[name]!, { colorScheme, viewport, bypassCSP: true });
      await openSome(again.page);
      expect(await violations(again.page)).toEqual([]);
      await again.page.context().close();
    },
  );
});

const press = async (page: Page, key: string, times = 1): Promise<void> => {
  for (let i = 0; i < times; i++) await page.keyboard.press(key);
};
const focused = (page: Page): Promise<string> =>
  page.evaluate('document.activeElement.id || document.activeElement.textContent.trim()');

test('by keyboard: skip link, filter, buttons, functions, equal code', async () => {
  const { page, said } = await openReport(browser, paths['forty']!, { viewport: { width: 1500, height: 1000 } });
  await press(page, 'Tab');
  expect(await focused(page)).toBe('To the findings');
  await press(page, 'Enter');
  expect(await page.evaluate('location.hash')).toBe('#findings');
  // every control is reached by Tab, in the order of the page
  const reached: string[] = [];
  for (let i = 0; i < 200 && !reached.includes('show-bytes'); i++) {
    await press(page, 'Tab');
    reached.push(await focused(page));
  }
  const controls = ['filter', 'open-all', 'close-all', 'show-equal', 'show-bytes'];
  expect(reached.filter((each) => controls.includes(each))).toEqual(controls);
  const shown = () => page.locator('.function:visible').count();
  const all = await shown();
  await page.focus('#filter');
  await page.keyboard.type('rtnl_fdb');
  expect(await shown()).toBeLessThan(all);
  expect(await shown()).toBeGreaterThan(0);
  expect(await page.locator('#filtered').textContent()).toBe(`${await shown()} of ${all}`);
  await press(page, 'Backspace', 'rtnl_fdb'.length);
  expect(await shown()).toBe(all);
  const open = () => page.locator('.function > details[open]').count();
  const before = await open();
  await page.focus('.function summary');
  await press(page, 'Enter');
  expect(await open()).toBe(before + 1);
  const equal = () => page.locator('.function >> nth=0 >> tbody.equal:visible').count();
  expect(await equal()).toBe(0);
  await page.focus('.function .more button');
  await press(page, 'Space');
  expect(await equal()).toBe(1);
  expect(await page.getAttribute('.function .more button', 'aria-expanded')).toBe('true');
  await page.focus('#open-all');
  await press(page, 'Enter');
  expect(await open()).toBe(all);
  await page.focus('#close-all');
  await press(page, 'Space');
  expect(await open()).toBe(0);
  await page.focus('#show-bytes');
  await press(page, 'Space');
  // a link into what is closed opens it
  await page.focus('nav [data-function] a');
  await press(page, 'Enter');
  expect(await open()).toBe(1);
  expect(await page.locator('#replaced-1 .bytes:visible').count()).toBeGreaterThan(0);
  expect(said).toEqual([]);
  await page.context().close();
});

test('without scripts everything is there and can be opened', async () => {
  const { page } = await openReport(browser, paths['forty']!, { javaScriptEnabled: false });
  await page.click('.function summary');
  expect(await page.locator('#replaced-1 tbody.equal >> nth=0').isVisible()).toBe(true);
  expect(await page.locator('#filter').isVisible()).toBe(false);
  await page.context().close();
});

test('on paper: what is closed is printed, the controls are not', async () => {
  const { page } = await openReport(browser, paths[hasMistake ? 'ext4_fix' : 'forty']!, {});
  await page.emulateMedia({ media: 'print' });
  expect(await page.locator('.tools').isVisible()).toBe(false);
  const pdf = await page.pdf({ format: 'A4', margin: { top: '15mm', bottom: '15mm', left: '12mm', right: '12mm' } });
  const kept = process.env['LIVEGRAFT_SCREENSHOTS'];
  if (kept !== undefined) await writeFile(join(kept, 'report.pdf'), pdf);
  // the references of a function are closed on the screen
  expect(pdf.length).toBeGreaterThan(50_000);
  await page.context().close();
});
