/**
 * What experience says of functions by name: where tasks stand for long and which, what is called very often, what never ends. A name
 * says what a function of mainline is for; it decides nothing, and what is not listed here is judged by its code.
 */
import { onExitPath } from '../../host/exit-path.ts';

/** Where tasks of a running system sleep most of their time. */
const parked = lines(`
  n_tty_read: getty and shells that wait for a line
  pipe_read pipe_wait_readable fifo_open wait_for_partner: programs that read from an empty pipe, as in a shell’s pipeline
  pipe_write pipe_wait_writable: programs that write into a full pipe
  do_sys_poll do_poll poll_schedule_timeout do_restart_poll do_select core_sys_select do_pselect kern_select: programs that wait in poll() or select(), as daemons and event loops do
  do_epoll_wait ep_poll: programs that wait in epoll_wait(), as most daemons do, systemd among them
  futex_wait futex_wait_queue futex_wait_queue_me do_futex futex_wait_multiple futex_wait_requeue_pi futex_lock_pi: threads that wait for work or a lock (futex), as pools of threads do
  do_nanosleep hrtimer_nanosleep common_nsleep common_nsleep_timens: programs that sleep for a time, as cron does
  do_wait kernel_wait4 kernel_waitid wait_consider_task: shells and service managers that wait for their children
  inet_csk_accept inet_accept unix_accept do_accept __sys_accept4: servers that wait for connections in accept()
  unix_stream_read_generic unix_stream_recvmsg unix_stream_data_wait unix_dgram_recvmsg __unix_dgram_recvmsg: programs that wait for a message on a local socket, as D-Bus clients do
  tcp_recvmsg tcp_recvmsg_locked sk_wait_data inet_recvmsg udp_recvmsg skb_recv_datagram __skb_recv_datagram __skb_recv_udp __skb_wait_for_more_packets netlink_recvmsg packet_recvmsg raw_recvmsg: programs that wait for data from the network in recv()
  tcp_sendmsg tcp_sendmsg_locked sk_stream_wait_memory: programs that send faster than the other side reads
  do_sigtimedwait sigsuspend: programs that wait for a signal
  do_syslog syslog_print devkmsg_read: readers of the kernel’s log, as journald and rsyslogd
  inotify_read signalfd_read signalfd_dequeue eventfd_read timerfd_read timerfd_read_iter eventpoll_read: programs that read from an event descriptor
  fuse_dev_do_read fuse_dev_read fuse_dev_splice_read: FUSE file servers that wait for requests
  request_wait_answer: programs that use a FUSE file system whose server does not answer
  n_tty_write: programs that write to a terminal that is stopped or full
  autofs_wait: programs that wait for automount
  evdev_read: programs that wait for a key or the mouse (logind, a display server)
  do_semtimedop do_msgrcv do_msgsnd wq_sleep do_mq_timedreceive: programs that wait in System V or POSIX message queues and semaphores
  locks_lock_inode_wait fcntl_setlk do_lock_file_wait flock_lock_inode_wait: programs that wait for a file lock
  tun_do_read tun_ring_recv tap_do_read: virtual machines and VPNs that wait for packets
  kvm_vcpu_block kvm_vcpu_halt kvm_vcpu_ioctl kvm_arch_vcpu_ioctl_run vcpu_enter_guest vcpu_run vcpu_block: virtual machines
  io_cqring_wait: programs that wait for completions of io_uring
  nfsd svc_recv svc_get_next_xprt svc_rdma_recvfrom: threads of the NFS server
`);

/** What stands on the stacks of those that sleep, and is no reason to: their way leads on by pointers, or is one of many. */
const above = lines(`
  tty_read file_tty_read: getty and shells that wait for a line
  wait_for_vfork_done kernel_clone: parents in vfork() that wait for their child
  sock_recvmsg __sys_recvfrom __sys_recvmsg ___sys_recvmsg sock_read_iter: programs that wait for data on any socket
  ksys_read vfs_read vfs_readv do_iter_read: whoever sleeps in read(): of a terminal, a pipe, a socket
  ksys_write vfs_write vfs_writev do_iter_write: whoever sleeps in write(): to a full pipe or socket
  ptrace_stop do_signal_stop do_jobctl_trap do_freezer_trap get_signal __refrigerator: stopped, traced and frozen tasks
  do_syscall_64 do_syscall_x64 x64_sys_call __do_fast_syscall_32: every task that sleeps in a system call
  schedule __schedule schedule_timeout schedule_hrtimeout_range schedule_hrtimeout_range_clock wait_woken: every task that sleeps
  kthread ret_from_fork: every kernel thread
`);

/** Kernel threads’ loops that they leave when they end, which most never do. */
const endless = lines(`
  kthreadd: kthreadd, which makes all kernel threads
  worker_thread rescuer_thread: the workers of all workqueues (kworker)
  smpboot_thread_fn: the threads of each CPU: ksoftirqd, migration, cpuhp
  kthread_worker_fn: threads that work off a kthread_worker
  rcu_gp_kthread rcu_tasks_kthread rcu_cpu_kthread rcu_boost_kthread rcu_nocb_cb_kthread rcu_nocb_gp_kthread: RCU’s threads
  kswapd: kswapd, one a node
  kcompactd: kcompactd, one a node
  khugepaged: khugepaged
  ksm_scan_thread: ksmd
  oom_reaper: oom_reaper
  kauditd_thread: kauditd
  khungtaskd watchdog: khungtaskd
  kjournald2: jbd2’s thread, one a journal
  io_sq_thread io_wqe_worker io_wq_worker: io_uring’s threads
  md_thread: md’s threads
  irq_thread: the threads of interrupts
  vhost_worker: vhost’s threads
  cifs_demultiplex_thread: cifsd, one a connection
  lockd: lockd
`);

/** Called so often that each call counts. */
const often = lines(`
  scheduler_tick update_process_times tick_sched_handle tick_sched_timer hrtimer_interrupt __hrtimer_run_queues: on every tick of every processor
  __schedule schedule pick_next_task_fair pick_next_task enqueue_task_fair dequeue_task_fair update_curr try_to_wake_up ttwu_do_activate: with every change of tasks
  update_load_avg task_tick_fair reweight_entity check_preempt_wakeup select_task_rq_fair: with every change of tasks or tick
  __alloc_pages get_page_from_freelist free_unref_page __free_pages: with every page that is taken or given back
  kmem_cache_alloc kmem_cache_free __kmalloc kfree kmalloc_trace __kmem_cache_alloc_node __slab_alloc __slab_free kmem_cache_alloc_node kmem_cache_alloc_lru: with every object that is allocated or freed
  handle_mm_fault __handle_mm_fault do_user_addr_fault do_anonymous_page do_fault filemap_map_pages: with every page fault
  __netif_receive_skb_core __netif_receive_skb_one_core netif_receive_skb_list_internal napi_gro_receive dev_gro_receive ip_rcv ip_rcv_core ip_rcv_finish_core ip_local_deliver_finish: with every packet that comes in
  tcp_v4_rcv tcp_rcv_established tcp_v6_rcv udp_rcv __udp4_lib_rcv ipv6_rcv tcp_ack tcp_data_queue: with every packet that comes in
  __dev_queue_xmit dev_hard_start_xmit ip_output ip_finish_output2 __ip_queue_xmit tcp_write_xmit __tcp_transmit_skb sch_direct_xmit: with every packet that goes out
  nf_hook_slow nft_do_chain ipt_do_table nf_conntrack_in: with every packet that a filter sees
  __alloc_skb kfree_skb_reason __kfree_skb consume_skb skb_release_data skb_clone: with every packet
  do_syscall_64 syscall_exit_to_user_mode syscall_trace_enter __audit_syscall_entry __audit_syscall_exit __seccomp_filter: with every system call, or every one that is audited or filtered
  vfs_read vfs_write ksys_read ksys_write new_sync_read new_sync_write __fget_light fget fput rw_verify_area: with every read() and write()
  link_path_walk path_openat lookup_fast __d_lookup_rcu __d_lookup step_into walk_component path_init dput inode_permission generic_permission: with every component of every path
  copy_page_to_iter copy_page_from_iter _copy_to_iter _copy_from_iter filemap_read generic_perform_write: with every page or piece that is copied
  __do_softirq irq_enter_rcu irq_exit_rcu handle_irq_event handle_edge_irq __common_interrupt: with every interrupt
  _raw_spin_lock _raw_spin_lock_irqsave _raw_spin_unlock_irqrestore mutex_lock mutex_unlock down_read up_read native_queued_spin_lock_slowpath: with every lock
  futex_wake do_futex futex_wait: with every futex that is waited for
  blk_mq_submit_bio submit_bio_noacct bio_endio blk_mq_end_request __blk_mq_end_request: with every block request
  ktime_get ktime_get_ts64 ktime_get_real_ts64 rcu_core note_gp_changes call_rcu: on many ticks and calls
`);

const idle =
  /^(do_idle|cpu_startup_entry|default_idle(_call)?|arch_cpu_idle(_enter|_exit)?|cpu_idle_poll|poll_idle|mwait_idle|amd_e400_idle|intel_idle\w*|acpi_idle_\w+|call_cpuidle\w*|cpuidle_(idle_call|enter\w*|select|reflect)|tick_nohz_idle_\w+|schedule_idle|menu_(select|reflect)|teo_(select|reflect)|haltpoll_\w+|default_enter_idle)$/;
const perCpu =
  /^(multi_cpu_stop|cpu_stopper_thread|migration_cpu_stop|active_load_balance_cpu_stop|cpuhp_thread_fun|__?flush_smp_call_function_queue|generic_smp_call_function_single_interrupt|take_cpu_down|start_secondary|native_play_dead|play_dead_common|cpuhp_report_idle_dead)$/;
const interrupt =
  /^(__sysvec_\w+|__common_interrupt|__do_softirq|handle_irq_event(_percpu)?|__handle_irq_event_percpu|handle_(edge|level|fasteoi|simple|percpu)_irq|hrtimer_interrupt|local_apic_timer_interrupt|tick_(handle_periodic|sched_timer)|update_process_times|scheduler_tick|run_timer_softirq|__run_timers|call_timer_fn|expire_timers|tasklet_action(_common)?|net_rx_action|net_tx_action|rcu_core|default_do_nmi|perf_event_nmi_handler)$/;

/** Who sleeps there, as the object of a sentence. */
export function parkedIn(name: string): string | undefined {
  return parked.get(name);
}

/** Who has it on the stack while it sleeps, there or below. */
export function stacksOf(name: string): string | undefined {
  return parked.get(name) ?? above.get(name);
}

export function endlessIn(name: string): string | undefined {
  return endless.get(name);
}

/** When it is called, as the end of a sentence. */
export function calledOften(name: string): string | undefined {
  return often.get(name);
}

export function contextOf(name: string): 'idle' | 'per-cpu' | 'interrupt' | undefined {
  if (idle.test(name)) return 'idle';
  if (perCpu.test(name)) return 'per-cpu';
  return interrupt.test(name) ? 'interrupt' : undefined;
}

/** A task that ends stands in it when the livepatch core sees it no longer (host/exit-path.ts). */
export function isOnExitPath(name: string): boolean {
  return onExitPath([name]).length > 0;
}

/**
 * What is not followed: what a function does on the way, and whose waits are rare, short, or for a lock: memory, locks, RCU, tracing,
 * messages, giving things back, modules on demand.
 */
const aside = new RegExp(
  [
    '^_*(k|kv|kz|v|vz|kvz)?m?alloc|alloc|mempool|^_*kmem_|^_*k[vz]?free|^vfree|free_|^_*(put|get)_|shrink|reclaim|swap|^_*slab',
    'mutex|^_*(down|up)(_|$)|rwsem|percpu_|^_*lock_sock|^_*release_sock|spin_|read_lock|write_lock|queued_|semaphore|^lockdep|^seq(count|lock)',
    'rcu|synchronize|^_*cond_resched|^preempt_|^_*might_|^_*schedule_(work|delayed)|queue_work|queue_delayed|^_*flush_|cancel_|timer|^m?u?n?s*leep|^usleep|delay',
    'printk|^_*warn|panic|dump_|^show_|^_*trace|^ftrace|bpf|^security_|^selinux|^apparmor|^audit|^perf_|fsnotify|kmsan|kasan|ubsan|kcsan|__stack_chk|__fortify',
    '^_*request_module|^call_usermodehelper|^kthread_|^stop_machine|^_*cpus_|^exc_|^asm_|fault|^_*get_user|^_*copy_(from|to)|pin_user|^do_exit|^mmput|^_+mmput|zap_pid_ns|^_*set_cpus_allowed|^_*sched_set|^make_task_dead|refrigerator|freez|coredump|ptrace|^task_work|wake_up|^_*wake',
    '^f?put$|fput|dput|iput|mntput|sock_release|^_*sock_create|notif|^_*x86_|^__SC[TK]__|^__fentry|^mem(cpy|set|move)|^str|cgroup|memcg|charge|^_*put$|destroy|release|exit$|cleanup|unregister|remove|teardown|shutdown|^_*dev_(err|info|warn)|throttle|balance_dirty',
  ].join('|'),
);

export function isAside(name: string): boolean {
  return aside.test(name);
}

function lines(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .trim()
      .split('\n')
      .flatMap((line) => {
        const [, names = '', what = ''] = /^\s*([^:]+): (.+)$/.exec(line) ?? [];
        return names.split(' ').map((name) => [name, what] as const);
      }),
  );
}
