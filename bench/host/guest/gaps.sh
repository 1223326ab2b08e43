# In the guest: measures gaps while a livepatch is loaded and reverted, and while a module holds all processors with stop_machine().
# gaps.sh MODULE GAPS THREADS STOPWALK MODE CPU REST HELD WALKS COUNT…       (bench/host/gaps.mjs reads what it prints)
# By the kernel's own interface and with the shell alone: what livegraft does besides is reading files, as any process might.
module=$1 gaps=$2 threads=$3 stopwalk=$4 mode=$5 cpu=$6 rest=$7 held=$8 walks=$9
shift 9
name=$(basename "$module" .ko)
patch=/sys/kernel/livepatch/$name
[ "$cpu" = 0 ] || taskset -p -c 0 $$ >/dev/null

head -c 4096 /dev/zero >/tmp/phase
# phase N: what goes on from now, up to 31
phase() { printf "\\$(printf %03o "$1")\\000\\000\\000" 1<>/tmp/phase; }

mkfifo /tmp/fifo
exec 5<>/tmp/fifo
# sleeps in pipe_read(), which is replaced; so do those who pass our output on
cat /tmp/fifo >/dev/null &
sleeper=$!
wake() { echo . >&5; echo .; echo . >&2; }
moving() { read -r state 2>/dev/null <"$patch/transition" && [ "$state" = 1 ]; }
# follow: to the end of a transition, its sleepers woken now and then from a moment on
follow() {
  n=0
  while moving; do
    sleep 0.1
    n=$((n + 1))
    [ $n -lt $((held * 10)) ] || [ $((n % 5)) -ne 0 ] || wake
  done
}

insmod "$stopwalk" || exit 1
"$gaps" "$cpu" "$mode" /tmp/phase /tmp/gaps.json &
measuring=$!
sleep 1
round=0
for count in "$@"; do
  base=$((round * 8))
  round=$((round + 1))
  crowd=
  if [ "$count" -gt 0 ]; then
    "$threads" "$count" >/tmp/ready &
    crowd=$!
    until grep -q ready /tmp/ready; do sleep 0.1; done
  fi
  phase $((base + 1))
  sleep "$rest"
  phase $((base + 2))
  insmod "$module" || exit 1
  phase $((base + 3))
  follow
  phase $((base + 4))
  sleep "$rest"
  phase $((base + 5))
  echo 0 >"$patch/enabled"
  follow
  phase $((base + 6))
  until rmmod "$name" 2>/dev/null; do sleep 0.1; done
  phase 0
  sleep 0.2
  n=0
  while [ $n -lt "$walks" ]; do
    phase $((base + 7))
    echo 1 >/sys/module/stopwalk/parameters/walk
    phase 0
    echo "walk $count $(cat /sys/module/stopwalk/parameters/walk)"
    sleep 0.1
    n=$((n + 1))
  done
  [ -z "$crowd" ] || kill -KILL $crowd
  sleep 0.2
done
printf '\377\377\377\377' 1<>/tmp/phase
wait $measuring
kill $sleeper
cat /tmp/gaps.json
