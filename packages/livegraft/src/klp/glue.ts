/** Writes the C of a livepatch module that is not the patch itself: what replaces what, and the module's own facts. People read it. */
import { readFile } from 'node:fs/promises';
import { type CallbackKind, callbackKinds } from '../support/author.ts';

export interface GlueObject {
  /** klp object: `vmlinux` or a module's name. */
  readonly name: string;
  readonly functions: readonly GlueFunction[];
  /** Callbacks of the patch, a row for each unit that has some, in the order of the patch. */
  readonly callbacks?: readonly GlueCallbacks[];
  /** When the livepatch itself must clear the relocations that name this module. */
  readonly forget?: Forget;
}

/** `going`: whenever it goes (the core of kernels before 6.3 does not); `refused`: only when a pre_patch keeps it out. */
export type Forget = 'going' | 'refused';

export interface GlueFunction {
  /** The symbol to be replaced. */
  readonly name: string;
  /** Which of several of that name; 0: the only one. */
  readonly position: number;
  /** The file it comes from, for the reader. */
  readonly source: string;
}

/** The callbacks of one unit, by kind: the function's name, for the reader. */
export interface GlueCallbacks {
  /** The file they come from. */
  readonly source: string;
  readonly functions: { readonly [kind in CallbackKind]?: string };
}

export interface GlueFacts {
  readonly module: string;
  readonly description: string;
  readonly replace: boolean;
  /** What `struct klp_state` says. */
  readonly states?: readonly { readonly id: number; readonly version: number }[];
  /** Lines for .modinfo: `livegraft=0.1.0`. */
  readonly info: readonly (readonly [key: string, value: string])[];
}

/** The name by which the glue refers to the n-th new function; the linker puts the function itself in its place. */
export function newFunctionName(n: number): string {
  return `livegraft_new_${n}`;
}

/** The same for the n-th callback: counted object by object, unit by unit, kind by kind. */
export function callbackName(n: number): string {
  return `livegraft_callback_${n}`;
}

/** The text of glue.c. Functions are numbered through all objects in the order given. */
export async function writeGlue(facts: GlueFacts, objects: readonly GlueObject[]): Promise<string> {
  const forget = objects.some((object) => object.forget !== undefined);
  let n = 0;
  let calls = 0;
  const numbered = objects.map((object) => ({
    ...object,
    functions: object.functions.map((f) => ({ ...f, n: n++ })),
    rows: (object.callbacks ?? []).map(({ source, functions }) => ({
      source,
      cells: callbackKinds.flatMap((kind) =>
        functions[kind] === undefined ? [] : [{ kind, name: functions[kind], n: calls++, source }],
      ),
    })),
  }));
  const cells = numbered.flatMap(({ rows }) => rows.flatMap((row) => row.cells));
  const { states = [] } = facts;
  const all = numbered.flatMap((object) => object.functions);
  return `// SPDX-License-Identifier: GPL-2.0-only
/* ${comment(facts.description)} */
#define INCLUDE_VERMAGIC
#include <linux/kernel.h>
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/vermagic.h>
${forget ? `\n${await kernelFile('forget.h')}` : ''}${cells.length > 0 ? `\n${await kernelFile('callbacks.h')}` : ''}
/* the new code, extracted from the patched units and linked in by livegraft */
${all.map((f) => `extern void ${newFunctionName(f.n)}(void);\t/* ${comment(f.source)}: ${comment(f.name)} */`).join('\n')}

${cells.map(declaration).join('')}${numbered.map((object, i) => functionTable(object, i) + callbackTable(object, i)).join('\n')}${stateTable(states)}
static struct klp_object objects[] = {
${numbered.map((object, i) => objectEntry(object, i)).join('\n')}
	{ }
};

static struct klp_patch patch = {
	.mod = THIS_MODULE,
	.objs = objects,
${states.length > 0 ? '\t.states = states,\n' : ''}${facts.replace ? '\t.replace = true,\n' : ''}};

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

function objectEntry(object: NumberedObject, i: number): string {
  const name = object.name === 'vmlinux' ? '' : ` .name = ${quote(object.name)},`;
  const kinds = kindsOf(object);
  const callbacks =
    object.rows.length > 0
      ? ` .callbacks = { ${kinds.map((kind) => `.${kind} = ${kind}_${i},`).join(' ')} },`
      : object.forget === 'going'
        ? ' .callbacks = { .post_unpatch = livegraft_forget },'
        : '';
  return `\t{${name} .funcs = functions_${i},${callbacks} },`;
}

interface Cell {
  readonly kind: CallbackKind;
  readonly name: string;
  readonly n: number;
  readonly source: string;
}

interface NumberedObject {
  readonly name: string;
  readonly forget?: Forget;
  readonly rows: readonly { readonly source: string; readonly cells: readonly Cell[] }[];
}

function declaration({ kind, name, n, source }: Cell): string {
  const type = kind === 'pre_patch' ? 'int' : 'void';
  return `extern ${type} ${callbackName(n)}(struct klp_object *obj);\t/* ${comment(source)}: ${comment(name)} */\n`;
}

function kindsOf({ rows, forget }: NumberedObject): CallbackKind[] {
  const used = new Set(rows.flatMap(({ cells }) => cells.map(({ kind }) => kind)));
  return callbackKinds.filter((kind) => used.has(kind) || (forget === 'going' && kind === 'post_unpatch'));
}

/** Livepatch relocations are forgotten last of all, and also when a pre_patch fails: that is the first row. */
function callbackTable(object: NumberedObject, i: number): string {
  if (object.rows.length === 0) return '';
  const rows = object.rows.map(
    ({ source, cells }) =>
      `\t{ ${cells.map(({ kind, n }) => `.${kind} = ${callbackName(n)},`).join(' ')} },\t/* ${comment(source)} */\n`,
  );
  const first = object.forget === 'going' ? ['\t{ .post_unpatch = livegraft_forget, },\n'] : [];
  const calls = kindsOf(object).map((kind) => {
    const call = `livegraft_run_${kind}(obj, callbacks_${i})`;
    const body =
      kind !== 'pre_patch' ? `\t${call};\n` : object.forget === 'refused' ? orForget(call) : `\treturn ${call};\n`;
    return `static ${kind === 'pre_patch' ? 'int' : 'void'} ${kind}_${i}(struct klp_object *obj)\n{\n${body}}\n`;
  });
  return `\nstatic const struct livegraft_callbacks callbacks_${i}[] = {\t/* ${object.name} */\n${[...first, ...rows].join('')}\t{ }\n};\n\n${calls.join('\n')}`;
}

function orForget(call: string): string {
  return `\tint err = ${call};\n\n\tif (err)\n\t\tlivegraft_forget(obj);\n\treturn err;\n`;
}

function stateTable(states: NonNullable<GlueFacts['states']>): string {
  if (states.length === 0) return '';
  const entries = states.map(({ id, version }) => `\t{ .id = ${id}UL, .version = ${version}U },\n`);
  return `\nstatic struct klp_state states[] = {\n${entries.join('')}\t{ }\n};\n`;
}

function kernelFile(name: string): Promise<string> {
  return readFile(new URL(`../../kernel/${name}`, import.meta.url), 'utf8');
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
