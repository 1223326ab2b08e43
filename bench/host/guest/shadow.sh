# In the guest: a livepatch with shadow variables put in and taken out while users come and go. shadow.sh MODULE.ko NAME CYCLES COUNTER USERS
module=$1 name=$2 cycles=$3 counter=$4 users=$5
state=/sys/kernel/livepatch/$name
dmesg -n 1
insmod "$counter/shadowcount.ko" table=0x"$(awk '$3 == "klp_shadow_hash" { print $1 }' /proc/kallsyms)" || exit 1
count() { cat /sys/module/shadowcount/parameters/count; }
clock() { awk '{ print $1 }' /proc/uptime; }
memory() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }
# the transition takes as long as it takes; a minute is too long
settle() {
  tries=0
  while [ "$(cat "$state/transition" 2>/dev/null)" = 1 ]; do
    tries=$((tries + 1))
    [ $tries -gt 600 ] && return 1
    sleep 0.1
  done
}
"$users" 40 2 &
pid=$!
sleep 2
echo "start $(count)"
n=0
while [ $n -lt "$cycles" ]; do
  n=$((n + 1))
  t0=$(clock)
  insmod "$module" && settle || { echo "failed load $n"; break; }
  t1=$(clock)
  sleep 0.5
  fields=$(count)
  seen=$(dmesg | grep -c 'user .* seen')
  echo 0 >"$state/enabled" && settle || { echo "failed revert $n"; break; }
  until rmmod "$name" 2>/dev/null; do sleep 0.1; done
  t2=$(clock)
  left=$(count)
  told=$(dmesg | sed -n 's/.*example: \([0-9]*\) fields left.*/\1/p' | tail -1)
  dmesg -c >/dev/null
  echo "cycle $n $fields $left ${told:-none} $seen $t0 $t1 $t2 $(memory SUnreclaim) $(memory VmallocUsed) $(memory Percpu)"
done
kill $pid
wait $pid
echo "end $(count)"
