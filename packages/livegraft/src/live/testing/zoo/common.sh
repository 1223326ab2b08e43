# What the scripts of the zoo share. Z: folder with the livepatch, the animals, the modules; S: of these scripts; BTF: of pipe_write().
. "$S/../said.sh"
O=/tmp/zoo
P=/sys/kernel/livepatch/livegraft_zoo
mkdir $O
up() { cut -d ' ' -f 1 /proc/uptime; }
pid() { cat "$O/$1.pid"; }
side() { cat "/proc/$1/patch_state"; }
over() { [ "$(cat $P/transition 2>/dev/null || echo 0)" = 0 ]; }
# in the background only: $! is the program then
in_cgroup() { group=$1; shift; exec sh -c 'echo $$ >"$0"; exec "$@"' "/sys/fs/cgroup/$group/cgroup.procs" "$@"; }
# Its output is told at the end: those who pass it on sleep in pipe_read().
exec 4>&1 >/tmp/all
mkdir -p /sys/fs/cgroup /dev/pts
mount -t cgroup2 cgroup /sys/fs/cgroup 2>/dev/null
mount -t devpts devpts /dev/pts 2>/dev/null
counter=0x$(grep ' klp_signals_cnt$' /proc/kallsyms | cut -d ' ' -f 1)
# the kernel's own reasons, for two of its tries
oracle() {
  dmesg -c >>/tmp/log
  echo 'file kernel/livepatch/transition.c +p' >/proc/dynamic_debug/control
  wait_for twice
  echo 'file kernel/livepatch/transition.c -p' >/proc/dynamic_debug/control
  dmesg
}
twice() { [ "$(dmesg | grep -c "klp_try_switch_task: $1")" -ge 2 ]; }
cat_log() { cat /tmp/log 2>/dev/null; dmesg; }
