/** Functions that are hard to leave, in livepatches of a real kernel: each kind that must be found, and near misses that must not. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { build } from '../../build/build.ts';
import { readReview } from '../../bundle/bundle.ts';
import { silent } from '../../support/progress.ts';
import { type Edits, sourcePatch } from '../../testing/source-patch.ts';
import { testKernel } from '../../testing/test-kernel.ts';

const kernel = await testKernel();
let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'livegraft-leaving-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function review(edits: Edits, name: string) {
  const patches = [{ name: 'x.patch', bytes: Buffer.from(sourcePatch(kernel, edits), 'latin1') }];
  const bundle = await build({ patches, kernel, out: dir, name, replace: false, progress: silent });
  const { findings, functions } = await readReview(bundle);
  return {
    findings: findings
      .filter(({ code }) => code !== 'once-starts-again')
      .map(({ code, functions }) => `${code}: ${functions?.join(', ')}`),
    leaving: Object.fromEntries(functions.map(({ name, leaving }) => [name, leaving])),
    said: findings.map(({ message, hint }) => `${message} → ${hint}`).join('\n'),
  };
}

/** A line is put before one of the source. */
const edit = (line: string): [string, string] => [line, `pr_info_once("livegraft\\n");\n${line}`];

test('functions in which tasks sleep: for what, by which way, who, what helps', async () => {
  const { findings, leaving, said } = await review(
    {
      'drivers/tty/n_tty.c': edit('	add_wait_queue(&tty->read_wait, &wait);\n'),
      'fs/select.c': edit('	poll_initwait(&table);\n	fdcount = '),
      'fs/autofs/waitq.c': edit('	/*\n	 * wq->name.name is NULL iff the lock'),
      'fs/read_write.c': edit(
        '	if (unlikely(!access_ok(buf, count)))\n		return -EFAULT;\n\n	ret = rw_verify_area(READ',
      ),
      'fs/ext4/mmp.c': edit('	/* Print MMP interval'),
    },
    'livegraft_sleeps',
  );
  expect(findings).toEqual([
    'waits-long: n_tty_read',
    'waits-long: autofs_wait',
    'waits-long: vfs_read',
    'waits-long: do_sys_poll',
    'may-wait: ext4_multi_mount_protect',
    'called-often: vfs_read',
  ]);
  expect(leaving).toMatchObject({
    n_tty_read: [{ kind: 'sleeps', through: [], text: 'waits for an event (wait_woken, interruptible)' }],
    do_sys_poll: [{ text: expect.stringMatching(/schedule_hrtimeout_range, interruptible/) }],
    autofs_wait: expect.arrayContaining([
      { kind: 'sleeps', through: [], text: 'waits for an event (schedule, killable)' },
    ]),
    vfs_read: [
      { kind: 'sleeps', text: expect.stringMatching(/^on the stacks of whoever sleeps in read/) },
      { kind: 'hot' },
    ],
  });
  expect(said).toMatch('getty and shells');
  expect(said).toMatch('no signal but a deadly one');
});

test('loops that are never left, the way out, interrupts, idle tasks, what is called often', async () => {
  const { findings, leaving } = await review(
    {
      'net/core/pktgen.c': edit('	while (!kthread_should_stop()) {\n		pkt_dev ='),
      'kernel/audit.c': edit('	while (!kthread_should_stop()) {\n		/* NOTE'),
      'kernel/exit.c': edit('	synchronize_group_exit(tsk, code);\n'),
      'drivers/tty/serial/8250/8250_core.c': edit('	spin_lock(&i->lock);\n\n	l = i->head;'),
      'drivers/cpuidle/governors/menu.c': edit('	if (data->needs_update) {\n		menu_update'),
      'net/ipv4/tcp_ipv4.c': edit('	if (skb->pkt_type != PACKET_HOST)\n		goto discard_it;\n\n	/* Count it even'),
    },
    'livegraft_loops',
  );
  expect(findings.toSorted()).toEqual([
    'called-often: tcp_v4_rcv',
    'never-left: kauditd_thread',
    'never-left: pktgen_thread_worker',
    'never-returns: do_exit',
    'runs-idle: menu_select',
    'runs-in-interrupt: serial8250_interrupt',
  ]);
  const kinds = Object.fromEntries(
    Object.entries(leaving).map(([name, list]) => [name, [...new Set(list.map(({ kind }) => kind))]]),
  );
  expect(kinds).toMatchObject({
    kauditd_thread: ['loops', 'sleeps'],
    pktgen_thread_worker: ['loops', 'sleeps'],
    do_exit: ['never-returns', 'sleeps'],
    serial8250_interrupt: ['interrupt'],
    menu_select: ['idle'],
    tcp_v4_rcv: ['hot'],
  });
});

test('near misses: a mutex, memory, a thread that ends by itself; beside the way out, interrupts, idle tasks, what is called often', async () => {
  const { findings, leaving } = await review(
    {
      'fs/seq_file.c': edit('	mutex_lock(&m->lock);\n	switch'),
      'fs/pipe.c': edit('	pipe = kzalloc('),
      'kernel/audit.c': edit(
        "	/* Ignore failure. It'll only happen if the sender goes away,\n	   because our timeout is set to infinite. */\n	netlink_unicast(audit_get_sk(reply",
      ),
      'kernel/exit.c': edit('	retval = will_become_orphaned_pgrp(task_pgrp(current), NULL);\n'),
      'drivers/tty/serial/8250/8250_core.c': edit('	del_timer_sync(&up->timer);\n'),
      'drivers/cpuidle/governors/menu.c': edit('	memset(data, 0, sizeof(struct menu_device));\n'),
      'net/ipv4/tcp_ipv4.c': edit('	return secure_tcp_seq_and_ts_off(net,\n'),
    },
    'livegraft_near',
  );
  expect(findings).toEqual(['exported-changed: seq_lseek', 'may-wait: audit_send_reply_thread']);
  expect(leaving).toMatchObject({ seq_lseek: [], alloc_pipe_info: [], audit_send_reply_thread: [{ kind: 'sleeps' }] });
});
