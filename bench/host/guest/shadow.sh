# In the guest: a livepatch with shadow variables put in and taken out while users come and go, in every fifth cycle replaced by another in between.
# shadow.sh MODULE.ko NAME SUCCESSOR.ko NAME CYCLES COUNTER OFFSET-OF-OBJ USERS
module=$1 name=$2 successor=$3 next=$4 cycles=$5 counter=$6 object=$7 users=$8
dmesg -n 1
address() { awk -v name="$1" '$3 == name { print "0x" $1 }' /proc/kallsyms; }
insmod "$counter/shadowcount.ko" table="$(address klp_shadow_hash)" users="$(address uidhash_table)" lock="$(address uidhash_lock)" object="$object" || exit 1
count() { cat /sys/module/shadowcount/parameters/count; }
strays() { cat /sys/module/shadowcount/parameters/strays; }
# Objects that live, by who asked for them (slub_debug=U): shadow variables, and those of code that is gone and so has no name any more.
live() { awk '/^ *[0-9]+ / && $2 ~ /klp_shadow/ { n += $1 } END { print n + 0 }' /sys/kernel/debug/slab/kmalloc-64/alloc_traces; }
orphans() { awk '/^ *[0-9]+ / && $2 ~ /^(0x)?[0-9a-f]+$/ { n += $1 } END { print n + 0 }' /sys/kernel/debug/slab/kmalloc-64/alloc_traces /sys/kernel/debug/slab/kmalloc-8/alloc_traces; }
clock() { awk '{ print $1 }' /proc/uptime; }
memory() { awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo; }
# settle NAME: the transition takes as long as it takes; a minute is too long
settle() {
  tries=0
  while [ "$(cat "/sys/kernel/livepatch/$1/transition" 2>/dev/null)" = 1 ]; do
    tries=$((tries + 1))
    [ $tries -gt 600 ] && return 1
    sleep 0.1
  done
}
"$users" 40 4 &
pid=$!
sleep 2
echo "start $(count) $(live) $(orphans)"
n=0
while [ $n -lt "$cycles" ]; do
  n=$((n + 1))
  t0=$(clock)
  insmod "$module" && settle "$name" || { echo "failed load $n"; break; }
  t1=$(clock)
  sleep 0.5
  fields=$(count)
  strays=$(strays)
  seen=$(dmesg | grep -c 'user .* seen')
  last=$name replaced=0
  if [ $((n % 5)) = 0 ]; then
    insmod "$successor" && settle "$next" || { echo "failed replacement $n"; break; }
    until rmmod "$name" 2>/dev/null; do sleep 0.1; done
    sleep 0.5
    fields=$(count)
    strays=$((strays + $(strays)))
    last=$next replaced=1
  fi
  t2=$(clock)
  echo 0 >"/sys/kernel/livepatch/$last/enabled" && settle "$last" || { echo "failed revert $n"; break; }
  until rmmod "$last" 2>/dev/null; do sleep 0.1; done
  t3=$(clock)
  left=$(count)
  told=$(dmesg | sed -n 's/.*example: \([0-9]*\) fields left.*/\1/p' | tail -1)
  dmesg -c >/dev/null
  echo "cycle $n $replaced $fields $strays $left ${told:-none} $seen $t0 $t1 $t2 $t3 $(memory SUnreclaim) $(memory VmallocUsed) $(memory Percpu)"
done
kill $pid
wait $pid
# what waits for a grace period goes in batches of 5 s
tries=0
until [ "$(live)" = 0 ] || [ $tries -ge 20 ]; do
  tries=$((tries + 1))
  sleep 1
done
echo "end $(count) $(live) $(orphans)"
