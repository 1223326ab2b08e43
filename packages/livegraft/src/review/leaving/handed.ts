/** To whom a unit hands the address of a function of its own: what it is made a callback of. */
import type { Atom } from '../../objdiff/atoms.ts';
import type { Side } from '../../objdiff/compare.ts';

/** So many bytes of code lie at most between an argument and its call. */
const near = 64;

/** Names of functions that are called right after the address was taken. */
export function handedTo({ object }: Side, atom: Atom): ReadonlySet<string> {
  const found = new Set<string>();
  for (const user of object.atoms) {
    if (user.kind !== 'function' || user === atom) continue;
    const references = object.references(user);
    const bytes = object.bytes(user);
    references.forEach(({ offset, target }, i) => {
      if (target.kind !== 'atom' || target.atom !== atom || isBranch(bytes, offset)) return;
      const call = references.slice(i + 1).find((each) => isBranch(bytes, each.offset));
      if (call === undefined || call.offset - offset > near) return;
      const name = call.target.kind === 'symbol' ? call.target.symbol.name : call.target.atom.name;
      if (name !== '') found.add(name);
    });
  }
  return found;
}

function isBranch(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset - 1] === 0xe8 || bytes[offset - 1] === 0xe9;
}

/** Makers of threads (include/linux/kthread.h, include/linux/sched/task.h). */
export const makesThread =
  /^(kthread_create_on_node|kthread_create_on_cpu|__kthread_create_worker|kernel_thread|user_mode_thread|create_io_thread|vhost_task_create|svc_set_num_threads)$/;
/** What interrupts, softirqs and timers call. */
export const asksForInterrupt =
  /^(request_threaded_irq|__?devm_request_(threaded_irq|any_context_irq)|devm_request_threaded_irq|request_percpu_irq|__request_percpu_irq|request_any_context_irq|tasklet_(init|setup)|init_timer_key|hrtimer_init|open_softirq|register_nmi_handler|__register_nmi_handler)$/;
/** What runs on a processor that somebody else chose. */
export const asksForProcessor =
  /^(smp_call_function(_single|_many|_any|_single_async)?|on_each_cpu(_cond_mask)?|stop_machine(_cpuslocked)?|stop_one_cpu(_nowait)?|__cpuhp_setup_state(_cpuslocked)?)$/;
