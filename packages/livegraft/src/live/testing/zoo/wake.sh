# Ways to wake, on programs that are touchy about it: a set of them for each way, asleep before the livepatch comes. T: their timeouts, in seconds.
. "$S/common.sh"
insmod $Z/zoo.ko counter=$counter
ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null
names='pipe tty sleep clock poll ppoll epoll futex lock accept acceptto recv recvto readsock semop aio threads traced'
ways='ptrace freeze stop kernel'
# in cgroups as those of containers: with controllers, and limits
echo '+pids +memory' >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/box
echo '+pids +memory' >/sys/fs/cgroup/box/cgroup.subtree_control
start() { # WAY SECONDS
  mkdir /sys/fs/cgroup/box/$1
  echo 200 >/sys/fs/cgroup/box/$1/pids.max
  in_cgroup box/$1 $Z/animals set $1 $O $2 $names &
  eval keeper_$1=$!
  wait_for sh -c "[ \$(ls $O/*.$1.pid | wc -l) = 19 ]"
}
start none 2
kill -USR1 $keeper_none
wait $keeper_none
for way in $ways; do start $way $T; done
sleep 1
insmod $Z/livegraft_zoo/livegraft_zoo.ko
sleep 3
threads() { for name in $names; do ls /proc/$(pid $name.$1)/task; done; }
left() { for way in $ways; do for tid in $(threads $way); do [ "$(side $tid)" = 1 ] || cat /proc/$tid/comm; done; done; }
cgroups() { for way in ptrace freeze; do for tid in $(threads $way); do cat /proc/$tid/cgroup; done; done | sort | uniq -c; ls -d /sys/fs/cgroup/box/*/*/; }
for way in ptrace freeze; do
  up >$O/$way.woken
  run $way lg wake --json --method $way $(for tid in $(threads $way); do echo --task $tid; done)
done
run left left
run cgroups cgroups
up >$O/stop.woken
for name in $names; do
  kill -STOP $(pid $name.stop)
  kill -CONT $(pid $name.stop)
done
sleep 1
up >$O/kernel.woken
echo 1 >/sys/module/zoo/parameters/signal
wait_for over
run over cat $P/transition
# what a livegraft that was killed left frozen
mkdir /sys/fs/cgroup/box/late
in_cgroup box/late sleep 1000 &
late=$!
cell=/sys/fs/cgroup/box/late/livegraft-wake-$late
wait_for grep -q "^$late\$" /sys/fs/cgroup/box/late/cgroup.procs
wait_for grep -q sleep /proc/$late/comm
mkdir $cell
echo threaded >$cell/cgroup.type
echo $late >$cell/cgroup.threads
echo 1 >$cell/cgroup.freeze
run frozen cat /proc/$late/cgroup
run leftover lg wake
run thawed cat /proc/$late/cgroup
for way in $ways; do eval kill -USR1 \$keeper_$way; done
for way in $ways; do eval wait \$keeper_$way; done
saw() {
  for way in none $ways; do
    for name in $names; do sed "s/^/$way $name $(cat $O/$way.woken 2>/dev/null || echo 0) /" $O/$name.$way; done
    sed "s/^/$way traced 0 /" $O/traced.$way.gdb
  done
}
run saw saw
run log cat_log
cat /tmp/all >&4
