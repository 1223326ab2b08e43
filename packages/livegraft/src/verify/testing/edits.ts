/** Mistakes that a builder could make, as edits of the module of verify.case.ts, each with what the checker must say of it. */
import { beginsWithEndbr } from '../../support/endbr.ts';
import type { KoEditor } from './ko-editor.ts';

/** A symbol that begins new code of the patch in .text. */
export const inFunction = (ko: KoEditor, name: string): ((entry: { offset: number }) => boolean) => {
  const { offset, size } = ko.symbol(name);
  return (entry) => entry.offset >= offset && entry.offset < offset + size;
};
const calls = (ko: KoEditor, table: string, name: string) =>
  ko.entries(table).filter((entry) => entry.type === 4 && entry.symbol !== '__fentry__' && inFunction(ko, name)(entry));
/** Section offset behind a function's landing pad and its call of ftrace. */
export function bodyOf(ko: KoEditor, name: string): number {
  const { section, offset } = ko.symbol(name);
  return offset + (beginsWithEndbr(ko.section(section).data.subarray(offset)) ? 9 : 5);
}
/** Code that the patch brings. */
export const news = [
  'filldir64',
  'skb_page_frag_refill',
  'livegraft_kind',
  'livegraft_double',
  'ext4_mb_load_buddy_gfp',
];
const first = (ko: KoEditor, table: string) => ko.entries(table)[0]!;

type Edits = Readonly<Record<string, readonly [change: (ko: KoEditor) => void, expected: RegExp]>>;

export const wrong: Edits = {
  'a call goes to another export': [
    (ko) => ko.redirect(calls(ko, '.rela.text', 'filldir64')[0]!, calls(ko, '.rela.text', 'skb_page_frag_refill')[0]!),
    /module-wrong: .*filldir64/,
  ],
  'a call lands one byte behind': [(ko) => ko.addend(calls(ko, '.rela.text', 'filldir64')[0]!, 1), /module-wrong/],
  'a livepatch symbol is another function': [
    (ko) => {
      const [a, b] = ko
        .entries('.klp.rela.ext4..text')
        .filter(({ symbol }, i, all) => symbol !== all[0]!.symbol || i === 0);
      ko.redirect(a!, b!);
    },
    /module-wrong: .*ext4/,
  ],
  'an addend of a livepatch relocation': [(ko) => ko.addend(first(ko, '.klp.rela.ext4..text'), 8), /module-wrong/],
  'a position that does not exist': [
    (ko) =>
      ko.replace(
        `${first(ko, '.klp.rela.ext4..text').symbol}\0`,
        `${first(ko, '.klp.rela.ext4..text').symbol.slice(0, -1)}9\0`,
      ),
    /module-not-loadable: .*not 9/,
  ],
  'a livepatch symbol without a position': [
    (ko) =>
      ko.replace(
        `${first(ko, '.klp.rela.ext4..text').symbol}\0`,
        `${first(ko, '.klp.rela.ext4..text').symbol.slice(0, -1)}x\0`,
      ),
    /module-not-loadable: .*livepatch symbol/,
  ],
  'a byte of code': [(ko) => ko.bump('.text', bodyOf(ko, 'filldir64') + 1), /module-wrong: .*filldir64\+0x[6a]/],
  'a byte of new code': [(ko) => ko.bump('.text', bodyOf(ko, 'livegraft_kind') + 1), /module-wrong: .*livegraft_kind/],
  'a string': [(ko) => ko.replace('kind %u of %lu', 'kind %u of %lx'), /module-wrong: .*a string/],
  'the initial value of a new variable': [
    (ko) => ko.bump(ko.symbol('livegraft_entries').section, ko.symbol('livegraft_entries').offset),
    /module-wrong: .*livegraft_entries/,
  ],
  'a constant of a new table': [
    (ko) => ko.bump(ko.symbol('livegraft_limits').section, ko.symbol('livegraft_limits').offset + 4),
    /module-wrong: .*livegraft_limits\+0x4/,
  ],
  'a pointer in a new table': [
    (ko) =>
      ko.addend(
        ko.entry('.rela.rodata', ({ type }) => type === 1),
        16,
      ),
    /module-wrong/,
  ],
  'the line number of a WARN_ON': [(ko) => ko.bump('__bug_table', 8), /module-wrong: .*__bug_table/],
  'the flags of a WARN_ON': [(ko) => ko.bump('__bug_table', 10), /module-wrong: .*__bug_table/],
  'the place of a WARN_ON': [(ko) => ko.addend(first(ko, '.rela__bug_table'), 2), /module-wrong: .*__bug_table/],
  'a lost WARN_ON': [
    (ko) => {
      ko.shorten('__bug_table', 12);
      ko.shorten('.rela__bug_table', 48);
    },
    /module-wrong: .*__bug_table/,
  ],
  'half of a WARN_ON': [(ko) => ko.shorten('__bug_table', 2), /module-not-loadable/],
  'where an exception goes on': [(ko) => ko.addend(ko.entries('.rela__ex_table')[1]!, 3), /module-wrong: .*__ex_table/],
  'how an exception is handled': [(ko) => ko.bump('__ex_table', 8), /module-wrong: .*__ex_table/],
  'a lost exception entry': [
    (ko) => {
      ko.shorten('__ex_table', 12);
      ko.shorten('.rela__ex_table', 48);
    },
    /module-wrong: .*__ex_table/,
  ],
  'the key of a static branch': [
    (ko) => ko.addend(ko.entries('.klp.rela.vmlinux.__jump_table')[0]!, 16),
    /module-wrong: .*__jump_table/,
  ],
  'the sense of a static branch': [
    (ko) => ko.addend(ko.entries('.klp.rela.vmlinux.__jump_table')[0]!, 1),
    /module-wrong: .*__jump_table/,
  ],
  'the target of a static branch': [
    (ko) => ko.addend(ko.entries('.rela__jump_table')[1]!, 1),
    /module-wrong: .*__jump_table/,
  ],
  'an unwind entry': [(ko) => ko.bump('.orc_unwind', 0), /module-wrong: .*orc_unwind/],
  'the place of an unwind entry': [
    (ko) => ko.addend(first(ko, '.rela.orc_unwind_ip'), 1),
    /module-wrong: .*orc_unwind/,
  ],
  'one unwind entry too few': [(ko) => ko.shorten('.orc_unwind', 6), /module-not-loadable: .*orc_unwind/],
  'the CPU feature of an alternative': [(ko) => ko.bump('.altinstructions', 8), /module-wrong: .*altinstructions/],
  'the length of an alternative': [(ko) => ko.bump('.altinstructions', 10), /module-wrong: .*altinstructions/],
  'the code of an alternative': [(ko) => ko.bump('.altinstr_replacement', 0), /module-wrong/],
  'a return site': [(ko) => ko.addend(first(ko, '.rela.return_sites'), 1), /module-wrong: .*return_sites/],
  'a static call site': [
    (ko) => ko.addend(first(ko, '.rela.static_call_sites'), 1),
    /module-wrong: .*static_call_sites/,
  ],
  'a lock prefix': [(ko) => ko.addend(first(ko, '.rela.smp_locks'), 1), /module-wrong: .*smp_locks/],
  'an entry of ftrace’s list': [
    (ko) => ko.addend(first(ko, '.rela__mcount_loc'), 1),
    /module-not-loadable: .*__mcount_loc/,
  ],
  'a version': [(ko) => ko.bump('__versions', 64), /module-not-loadable: .*version/],
  'a lost version': [(ko) => ko.bump('__versions', 64 + 8), /module-not-loadable: .*version is absent/],
  'a symbol that nobody exports': [
    (ko) => {
      const { symbol } = calls(ko, '.rela.text', 'filldir64')[0]!;
      ko.replace(`\0${symbol}\0`, `\0${symbol.slice(0, -1)}Q\0`);
    },
    /module-not-loadable: .*Q: nothing in this kernel exports it/,
  ],
  'a field that is not zero': [
    (ko) => ko.bump('.text', calls(ko, '.rela.text', 'filldir64')[0]!.offset),
    /module-not-loadable: .*not zero/,
  ],
  'an unknown relocation type': [
    (ko) => ko.type(calls(ko, '.rela.text', 'filldir64')[0]!, 9),
    /module-not-loadable: .*type 9/,
  ],
  'another relocation type': [(ko) => ko.type(calls(ko, '.rela.text', 'filldir64')[0]!, 11), /module-wrong: .*type 11/],
  'livepatch relocations that are not marked': [
    (ko) => ko.flags('.klp.rela.ext4..text', (flags) => flags & ~0x00100000),
    /module-not-loadable/,
  ],
  'relocations for an object that is not patched': [
    (ko) => ko.replace('.klp.rela.ext4..text', '.klp.rela.jbd2..text'),
    /module-not-loadable: .*no object jbd2/,
  ],
  'another vermagic': [(ko) => ko.replace('vermagic=6', 'vermagic=7'), /module-not-loadable: .*vermagic/],
  'no livepatch': [(ko) => ko.replace('livepatch=Y', 'livepatcx=Y'), /module-not-loadable: .*livepatch/],
  'a licence that may not use GPL symbols': [
    (ko) => ko.replace('license=GPL', 'license=BSD'),
    /module-not-loadable: .*license/,
  ],
  'struct module of another size': [(ko) => ko.shorten('.gnu.linkonce.this_module', 64), /module-not-loadable/],
  'code that can be written to': [(ko) => ko.flags('.text', (flags) => flags & ~4), /module-(not-loadable|wrong)/],
  'a variable that cannot be written to': [
    (ko) => ko.flags(ko.symbol('livegraft_entries').section, (flags) => flags & ~1),
    /module-(not-loadable|wrong)/,
  ],
  'the new code of another function': [
    (ko) => {
      const news = ko
        .entries('.rela.data')
        .filter(({ symbol }) => ['filldir64', 'skb_page_frag_refill'].includes(symbol));
      ko.redirect(news[0]!, news[1]!);
    },
    /module-wrong: .*klp_func/,
  ],
  'another function is replaced': [
    (ko) => ko.replace('\0filldir64\0', '\0filldir65\0'),
    /module-not-loadable: .*filldir65/,
  ],
};

/** Only where a kernel has call thunks, IBT and numbers that it fills in in its own code. */
export const wrongWithIbt: Edits = {
  'a call site': [(ko) => ko.addend(first(ko, '.rela.call_sites'), 1), /module-wrong: .*\.call_sites entry/],
  'the padding before a function': [
    (ko) => ko.bump('.text', ko.symbol('filldir64').offset - 1),
    /module-wrong: .*the padding before it/,
  ],
  'the register that a number of the kernel is loaded into': [
    (ko) => ko.bump('.text', loadOf(ko).offset - 1, 8),
    /module-wrong: .*a load into the same register/,
  ],
  'which number of the kernel is loaded': [
    (ko) => ko.addend(loadOf(ko), 8),
    /module-wrong: .*the load of USER_PTR_MAX/,
  ],
};
function loadOf(ko: KoEditor) {
  const tables = ['.rela.text', '.klp.rela.vmlinux..text'];
  return tables.flatMap((table) => ko.entries(table)).find(({ symbol }) => symbol.includes('USER_PTR_MAX'))!;
}
