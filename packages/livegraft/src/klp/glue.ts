/** Writes the C of a livepatch module that is not the patch itself: what replaces what, and the module's own facts. People read it. */
import { readFile } from 'node:fs/promises';

export interface GlueObject {
  /** klp object: `vmlinux` or a module's name. */
  readonly name: string;
  readonly functions: readonly GlueFunction[];
  /** Livepatch relocations must be cleared when this module goes away (kernels before 6.3). */
  readonly forget: boolean;
}

export interface GlueFunction {
  /** The symbol to be replaced. */
  readonly name: string;
  /** Which of several of that name; 0: the only one. */
  readonly position: number;
  /** The file it comes from, for the reader. */
  readonly source: string;
}

export interface GlueFacts {
  readonly module: string;
  readonly description: string;
  readonly replace: boolean;
  /** Lines for .modinfo: `livegraft=0.1.0`. */
  readonly info: readonly (readonly [key: string, value: string])[];
}

/** The name by which the glue refers to the n-th new function; the linker puts the function itself in its place. */
export function newFunctionName(n: number): string {
  return `livegraft_new_${n}`;
}

/** The text of glue.c. Functions are numbered through all objects in the order given. */
export async function writeGlue(facts: GlueFacts, objects: readonly GlueObject[]): Promise<string> {
  const forget = objects.some((object) => object.forget);
  let n = 0;
  const numbered = objects.map((object) => ({ ...object, functions: object.functions.map((f) => ({ ...f, n: n++ })) }));
  const all = numbered.flatMap((object) => object.functions);
  return `// SPDX-License-Identifier: GPL-2.0-only
/* ${comment(facts.description)} */
#define INCLUDE_VERMAGIC
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/vermagic.h>
${forget ? `\n${await readFile(new URL('../../kernel/forget.h', import.meta.url), 'utf8')}` : ''}
/* the new code, extracted from the patched units and linked in by livegraft */
${all.map((f) => `extern void ${newFunctionName(f.n)}(void);\t/* ${comment(f.source)}: ${comment(f.name)} */`).join('\n')}

${numbered.map((object, i) => functionTable(object, i)).join('\n')}
static struct klp_object objects[] = {
${numbered.map((object, i) => objectEntry(object, i)).join('\n')}
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
${facts.replace ? '\t.replace = true,\n' : ''}};

static int __init livegraft_init(void)
{
	return klp_enable_patch(&patch);
}

/* the livepatch core lets go of the module only once nobody runs in it */
static void __exit livegraft_exit(void)
{
}

module_init(livegraft_init);
module_exit(livegraft_exit);
MODULE_LICENSE("GPL");
MODULE_INFO(livepatch, "Y");
MODULE_DESCRIPTION(${quote(facts.description)});
${facts.info.map(([key, value]) => `MODULE_INFO(${key}, ${quote(value)});`).join('\n')}

/* what modpost would write */
MODULE_INFO(vermagic, VERMAGIC_STRING);
MODULE_INFO(name, KBUILD_MODNAME);
MODULE_INFO(depends, "");
#ifdef CONFIG_RETPOLINE
MODULE_INFO(retpoline, "Y");
#endif

__visible struct module __this_module
__section(".gnu.linkonce.this_module") = {
	.name = KBUILD_MODNAME,
	.init = init_module,
#ifdef CONFIG_MODULE_UNLOAD
	.exit = cleanup_module,
#endif
	.arch = MODULE_ARCH_INIT,
};
`;
}

interface Numbered extends GlueFunction {
  readonly n: number;
}

function functionTable(object: { readonly name: string; readonly functions: readonly Numbered[] }, i: number): string {
  const entries = object.functions.map(
    (f) => `\t{ .old_name = ${quote(f.name)}, .old_sympos = ${f.position}, .new_func = ${newFunctionName(f.n)} },`,
  );
  return `static struct klp_func functions_${i}[] = {\t/* ${object.name} */\n${entries.join('\n')}\n\t{ }\n};\n`;
}

function objectEntry(object: GlueObject, i: number): string {
  const name = object.name === 'vmlinux' ? '' : ` .name = ${quote(object.name)},`;
  const callbacks = object.forget ? ' .callbacks = { .post_unpatch = livegraft_forget },' : '';
  return `\t{${name} .funcs = functions_${i},${callbacks} },`;
}

/** A C string of the text's UTF-8 bytes. */
function quote(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  const escaped = bytes.map((byte) => {
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte < 0x20 || byte > 0x7e ? `\\${byte.toString(8).padStart(3, '0')}` : String.fromCharCode(byte);
  });
  return `"${escaped.join('')}"`;
}

function comment(text: string): string {
  return text
    .replaceAll('*/', '* /')
    .replaceAll('/*', '/ *')
    .replace(/[\r\n]+/g, ' ');
}
