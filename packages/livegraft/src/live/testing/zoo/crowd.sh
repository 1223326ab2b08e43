# Many at once: a thousand threads in one function, and processes that come and go while they are looked at.
. "$S/common.sh"
insmod $Z/zoo.ko counter=$counter
echo 4000 >/proc/sys/kernel/threads-max
$Z/animals herd 1000 &
herd=$!
$Z/animals set own $O 1000 pipe &
wait_for sh -c "[ \$(ls /proc/$herd/task | wc -l) = 1000 ]"
wait_for test -e $O/keeper.own.pid
sleep 1
insmod $Z/livegraft_zoo/livegraft_zoo.ko
sleep 3
took() { from=$(up); "$@"; echo "$from $(up)" >&3; }
run herd lg blockers --json
run file lg blockers
terminal() { # ROWS COLUMNS COMMAND…
  rows=$1 columns=$2
  shift 2
  TERM=xterm script -qec "stty rows $rows cols $columns; $LG $*" /dev/null </dev/null
}
export NO_COLOR=1
run screen-80 terminal 24 80 blockers
run screen-200 terminal 24 200 blockers
run screen-10 terminal 10 80 blockers
unset NO_COLOR
run colour terminal 24 80 blockers
run watch terminal 24 80 watch --timeout 4
run watch-file lg watch --timeout 4
$Z/animals storm &
storm=$!
sleep 1
run storm-1 lg blockers --json
run storm-2 lg blockers --json
run wake lg wake --json
run storm-3 lg blockers --json
run wake-80 terminal 24 80 wake --dry-run
kill -KILL $storm
run log cat_log
cat /tmp/all >&4
