import { describe, expect, test } from 'vitest';
import { type GlueCallbacks, type GlueFacts, type GlueObject, newFunctionName, writeGlue } from './glue.ts';

const facts: GlueFacts = {
  module: 'livegraft_fix',
  description: 'livepatch of 6.1: "quoted" \\ and */ ends\nhere, ü',
  replace: false,
  info: [['livegraft', '0.1.0']],
};
const f = (name: string, position = 0) => ({ name, position, source: `${name}.c` });
const vmlinux: GlueObject = { name: 'vmlinux', functions: [f('a'), f('b', 2)] };
const ext4: GlueObject = { name: 'ext4', functions: [f('c.isra.0')] };

describe('writeGlue', () => {
  test('functions are numbered through all objects; vmlinux has no name', async () => {
    const text = await writeGlue(facts, [vmlinux, ext4]);
    expect(text).toContain('{ .old_name = "a", .old_sympos = 0, .new_func = livegraft_new_0 },');
    expect(text).toContain('{ .old_name = "b", .old_sympos = 2, .new_func = livegraft_new_1 },');
    expect(text).toContain('{ .old_name = "c.isra.0", .old_sympos = 0, .new_func = livegraft_new_2 },');
    expect(text).toMatch(/\{ {1}\.funcs = functions_0, \},\n\t\{ \.name = "ext4", \.funcs = functions_1, \},\n\t\{ \}/);
    expect(newFunctionName(2)).toBe('livegraft_new_2');
  });

  test('text from outside stays text: in strings and in comments', async () => {
    const text = await writeGlue(facts, [vmlinux]);
    const [comment] = text.match(/^\/\* livepatch.*$/m)!;
    expect(comment).toBe('/* livepatch of 6.1: "quoted" \\ and * / ends here, ü */');
    expect(text).toContain(
      'MODULE_DESCRIPTION("livepatch of 6.1: \\"quoted\\" \\\\ and */ ends\\012here, \\303\\274");',
    );
    expect(text).toContain('MODULE_INFO(livegraft, "0.1.0");');
  });

  test('atomic replacement only when asked for', async () => {
    expect(await writeGlue(facts, [vmlinux])).not.toContain('.replace');
    expect(await writeGlue({ ...facts, replace: true }, [vmlinux])).toContain('\t.replace = true,\n');
  });

  test('the code that clears relocations is there when an object needs it, and only for that', async () => {
    expect(await writeGlue(facts, [vmlinux, ext4])).not.toContain('livegraft_forget');
    const text = await writeGlue(facts, [vmlinux, { ...ext4, forget: 'going' }]);
    expect(text).toContain('void livegraft_forget(struct klp_object *obj)');
    expect(text.match(/\.callbacks = \{ \.post_unpatch = livegraft_forget \}/g)).toHaveLength(1);
  });

  test('callbacks: a row for each unit; what is forgotten is the first row, so that it is forgotten last', async () => {
    const row = (source: string, functions: GlueCallbacks['functions']): GlueCallbacks => ({ source, functions });
    const text = await writeGlue({ ...facts, states: [{ id: 7, version: 2 }] }, [
      { ...vmlinux, callbacks: [row('a.c', { pre_patch: 'f', post_unpatch: 'g' }), row('b.c', { pre_patch: 'h' })] },
      { ...ext4, forget: 'going', callbacks: [row('c.c', { post_patch: 'i' })] },
    ]);
    expect(text).toContain('extern int livegraft_callback_2(struct klp_object *obj);\t/* b.c: h */');
    expect(text).toMatch(
      /callbacks_0\[\] = \{.*\n\t\{ \.pre_patch = livegraft_callback_0, \.post_unpatch = livegraft_callback_1, \},.*\n\t\{ \.pre_patch = livegraft_callback_2, \},.*\n\t\{ \}/,
    );
    expect(text).toMatch(
      /callbacks_1\[\] = \{.*\n\t\{ \.post_unpatch = livegraft_forget, \},\n\t\{ \.post_patch = livegraft_callback_3, \},.*\n\t\{ \}/,
    );
    expect(text).toContain('.callbacks = { .pre_patch = pre_patch_0, .post_unpatch = post_unpatch_0, },');
    expect(text).toContain('.callbacks = { .post_patch = post_patch_1, .post_unpatch = post_unpatch_1, },');
    expect(text).toContain('\treturn livegraft_run_pre_patch(obj, callbacks_0);');
    expect(text).toContain('\t{ .id = 7UL, .version = 2U },\n\t{ }\n};');
    expect(text).toContain('\t.states = states,\n');
  });

  test('where the core clears relocations, only what a pre_patch keeps out is forgotten', async () => {
    const callbacks = [{ source: 'c.c', functions: { pre_patch: 'f', post_unpatch: 'g' } }];
    const text = await writeGlue(facts, [vmlinux, { ...ext4, forget: 'refused', callbacks }]);
    expect(text).toContain('callbacks_1[] = {\t/* ext4 */\n\t{ .pre_patch = livegraft_callback_0');
    expect(text).toContain(
      'int err = livegraft_run_pre_patch(obj, callbacks_1);\n\n\tif (err)\n\t\tlivegraft_forget(obj);',
    );
    expect(text.match(/livegraft_forget/g)).toHaveLength(2);
  });
});
