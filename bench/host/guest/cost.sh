# In the guest: what a call costs, before, while and after it is patched. cost.sh FOLDER RUNS
cd "$1" || exit 1
runs=$2
measure() {
  n=0
  while [ $n -lt "$runs" ]; do
    echo "cost $1 $(cat "/sys/module/callcost/parameters/$2")"
    n=$((n + 1))
  done
}
settle() { while [ "$(cat "/sys/kernel/livepatch/$1/transition" 2>/dev/null)" = 1 ]; do sleep 0.1; done; }
on() { insmod "$1.ko" && settle "$1"; }
off() {
  echo 0 >"/sys/kernel/livepatch/$1/enabled"
  settle "$1"
  until rmmod "$1" 2>/dev/null; do sleep 0.1; done
}
dmesg | sed -n 's/.*tsc: Detected \([0-9.]*\) MHz.*/mhz \1/p'
insmod callcost.ko || exit 1
measure bare bare
measure unpatched target
on costpatch_other
measure another target
measure other other
on costpatch_one
measure patched target
on costpatch_two
measure twice target
off costpatch_two
measure once-again target
off costpatch_one
off costpatch_other
measure reverted target
