# Each blocker is made on purpose, named, and brought through or taken back.
. "$S/common.sh"
insmod $Z/zoo.ko counter=$counter
mkdir /sys/fs/cgroup/cold
in_cgroup cold $Z/animals set cold $O 1000 pipe &
$Z/animals set own $O 1000 pipe tty sleep poll epoll futex traced vfork stopped held &
keeper=$!
$Z/animals edr $BTF &
edr=$!
wait_for test -e $O/keeper.cold.pid
wait_for sh -c "[ \$(ls $O/*.own.pid | wc -l) = 11 ]"
sleep 1
echo 1 >/sys/fs/cgroup/cold/cgroup.freeze
wait_for grep -q 'frozen 1' /sys/fs/cgroup/cold/cgroup.events
wait_for sh -c 'grep -q bpf_trampoline /proc/[0-9]*/stack'
run dry-run lg load $Z/livegraft_zoo --dry-run --json
insmod $Z/livegraft_zoo/livegraft_zoo.ko
sleep 3
twice() { [ "$(dmesg | grep -c "zoo_writer")" -ge 2 ]; }
run oracle oracle
run blockers lg blockers --json
run table lg blockers
run dry-wake lg wake --dry-run --json
run untouched lg blockers --json
run wake lg wake --json
run after lg blockers --json
run named lg wake --json --task $(pid epoll.own)
run continue lg wake --json --task $(pid stopped.own) --method continue
kill -KILL $edr
sleep 2
run detached lg blockers --json
run writer lg wake --json --task $(pgrep zoo_writer)
echo 0 >/sys/fs/cgroup/cold/cgroup.freeze
# the debugger's child is held.own, it wrote its own number
kill -KILL $(pid held.own)
sleep 2
run last lg blockers --json
kill -USR1 $keeper
wait_for over
run active lg blockers --json
cat $O/*.own $O/*.gdb >/tmp/saw
run saw cat /tmp/saw

# taken back: those that read again sleep in the new functions
$Z/animals set back $O 1000 pipe tty &
wait_for test -e $O/tty.back.pid
wait_for sh -c "grep -q n_tty_read /proc/\$(cat $O/tty.back.pid)/stack"
echo 0 >$P/enabled
sleep 2
run back lg blockers --json
# and turned round, in the middle
echo 1 >$P/enabled
wait_for over
run turned cat $P/enabled
echo 0 >$P/enabled
sleep 1
run wake-back lg wake --json
pkill -KILL -f 'animals set'
echo N >/sys/module/zoo/parameters/quiet
wait_for sh -c "! [ -e $P ]"
run gone sh -c "[ -e $P ] || echo gone"
rmmod livegraft_zoo

# kernel threads
rmmod zoo
insmod $Z/zoo.ko counter=$counter threads=1
sleep 1
P=/sys/kernel/livepatch/zoo_patch
insmod $Z/zoo_patch.ko
sleep 2
twice() { [ "$(dmesg | grep -c "zoo_wait")" -ge 2 ]; }
run thread-oracle oracle
run threads lg blockers --json
run threads-wake lg wake --json
echo 1 >/sys/module/zoo/parameters/signal
wait_for sh -c '[ "$(cat /proc/$(pgrep zoo_wait)/patch_state)" = 1 ]'
run threads-signalled lg blockers --json
# the one that never leaves its function: taken back, which it does not hold
run threads-back lg revert zoo_patch --json
run log cat_log
cat /tmp/all >&4
