# What the guests of survive.vm.ts and bench/survive.mjs use, behind said.sh. The disk is /dev/vda.
# All is told at the end: those who pass it on sleep in pipe_read(), and would move over and then hold a reversal back.
exec 4>&1 >/tmp/all
last() { run last true; cat /tmp/all >&4; }

mkdir -p /var/lib/livegraft
mount -t ext4 /dev/vda /var/lib/livegraft || exit 1

# facts: NAME ENABLED TRANSITION of each livepatch, and modules whose livepatch is gone.
facts() {
  for each in /sys/kernel/livepatch/*/; do
    [ -d "$each" ] && echo "$(basename "$each") $(cat "$each/enabled") $(cat "$each/transition")"
  done
  for each in $(sed -n 's/^\(livegraft_[a-z]*\) .*/\1/p' /proc/modules); do
    [ -d "/sys/kernel/livepatch/$each" ] || echo "$each left"
  done
  true
}

# truth: the facts, and what status says while they stay the same.
truth() {
  while :; do
    before=$(facts)
    lg status --json >/tmp/status
    [ "$before" = "$(facts)" ] && break
  done
  [ -z "$before" ] || echo "$before"
  cat /tmp/status
}

is_stopped() { case $(sed 's/.*) //' "/proc/$1/stat") in T*) ;; *) return 1 ;; esac; }
# at STEP COMMAND…: runs livegraft until it has written that step down; $lg is its process.
at() {
  LIVEGRAFT_STOP_AT=$1
  export LIVEGRAFT_STOP_AT
  shift
  $LG "$@" >/tmp/at 2>&1 &
  lg=$!
  unset LIVEGRAFT_STOP_AT
  wait_for is_stopped $lg
  is_stopped $lg || { echo "never stopped: $*"; cat /tmp/at; }
}

# off: what was written and not synced is lost.
off() { sleep 1; echo b >/proc/sysrq-trigger; sleep 1000; }
touch_off() { mkdir -p /etc/livegraft; : >/etc/livegraft/off; }

# reader: a task asleep in pipe_read(), which holds livegraft_pipe back.
reader() {
  mkfifo /tmp/pipe
  sleep 100000 3<>/tmp/pipe &
  sh -c 'echo $$ >/tmp/reader; exec cat /tmp/pipe' >/tmp/read &
  wait_for sh -c 'grep -q pipe_read /proc/$(cat /tmp/reader)/stack'
}

is_active() { [ "$(cat /sys/kernel/livepatch/$1/enabled)$(cat /sys/kernel/livepatch/$1/transition)" = 10 ]; }
is_gone() { [ ! -e "/sys/kernel/livepatch/$1" ]; }

# kill_at ACTION:STEP ARGUMENTS…: livegraft is killed there, and its last module's name is $2; looked at. What comes next is the caller's.
kill_at() {
  step=$1
  name=$2
  shift
  at "$step" "${step%:*}" "$@"
  kill -9 $lg
  wait $lg
  case $step in
    load:inserted | load:end) wait_for is_active $name ;;
    revert:transition) wait_for is_gone $name ;;
  esac
  run "$step:status" truth
}
next() { run "$step:next" lg "$@" --json; }
