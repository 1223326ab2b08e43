# A trial: the steps of /livegraft/plan, one after the other, each told on the channel as it happens.
# plan line: NUMBER KIND ok|always must|may SECONDS [ARGUMENTS]   (livegraft's vm/trial.ts writes it)
# Every step runs in the background, so that this loop never stops giving signs of life.
work=/run/livegraft
mkdir -p $work
mkfifo $work/tick
exec 8<>$work/tick
failed=0
output_limit=1048576

# Heard even while a script takes every cycle; what it launches runs at the usual priority.
renice -n -10 -p $$ >/dev/null

# The kernel log shows everything from here on; booting showed warnings only.
echo 8 >/proc/sys/kernel/printk

pause() { read -r -t "$1" _ <&8; }

now() {
  read -r seconds _ </proc/uptime
  seconds=${seconds%.*}
}

# Not with `read`: it takes single bytes, and a sysctl gives its first byte only.
taint() { taint=$(cat /proc/sys/kernel/tainted); }

# launch COMMAND…: runs it in a session of its own; its output and, at its end, its exit code appear as files.
launch() {
  rm -f $work/status
  : >$work/out
  shipped=0
  cut=
  setsid sh -c '
    renice -n 10 -p $$ >/dev/null
    "$@" >>/run/livegraft/out 2>&1
    echo $? >/run/livegraft/status.new
    mv /run/livegraft/status.new /run/livegraft/status
  ' sh "$@" </dev/null 3>&- 8<&- &
  child=$!
}

# ship: sends what the command has written since the last time, base64. Beyond the limit it says so once and drops the rest:
# the command's output lies in the guest's memory.
ship() {
  if [ -n "$cut" ]; then
    drop
    return
  fi
  size=$(stat -c %s $work/out)
  kept=$work/out
  if [ "$size" -gt $output_limit ]; then
    cut=1
    kept=$work/kept
    head -c $output_limit $work/out >$kept
    size=$output_limit
    drop
  fi
  while [ "$size" -gt "$shipped" ]; do
    part=$((size - shipped))
    [ $part -gt 98304 ] && part=98304
    say output "$number $(tail -c +$((shipped + 1)) $kept | head -c $part | base64 -w 0)"
    shipped=$((shipped + part))
    [ -n "$cut" ] && drop
  done
  [ -n "$cut" ] && say cut "$number"
}

# The command appends, so that it goes on from an empty file.
drop() { : >$work/out; }

# ended: whether the launched command is over. One that was killed together with its wrapper leaves no exit code: 137.
ended() {
  [ -e $work/status ] && return
  { read -r line <"/proc/$child/stat"; } 2>/dev/null || line='(gone) Z'
  case ${line##*) } in Z*) ;; *) return 1 ;; esac
  [ -e $work/status ] || echo 137 >$work/status
}

# reap: the exit code of the command that ended.
reap() {
  read -r status <$work/status
  wait $child
}

# abandon: ends a command that took too long; one that the kernel does not let go is left behind.
abandon() {
  kill -9 -$child 2>/dev/null
  status=$1
}

# finish SECONDS: waits for the launched command.
finish() {
  now
  limit=$((seconds + $1))
  beat=0
  until ended; do
    pause 0.1
    beat=$((beat + 1))
    [ $((beat % 10)) -eq 0 ] || continue
    say alive
    ship
    now
    if [ "$seconds" -ge $limit ]; then
      abandon timeout
      ship
      return
    fi
  done
  reap
  ship
}

# sample PATCH SIDE: who has not moved yet to SIDE (1 patched, 0 unpatched). Builtins only: no process per task.
# Sets in_transition: 1, 0, or "gone" when the kernel no longer knows the patch.
sample() {
  if ! { read -r in_transition <"/sys/kernel/livepatch/$1/transition"; } 2>/dev/null; then
    in_transition=gone
    say alive
    return
  fi
  left=0
  tasks=0
  for task in /proc/[0-9]*/task/[0-9]*; do
    { read -r side <"$task/patch_state"; } 2>/dev/null || continue
    tasks=$((tasks + 1))
    case $side in -1 | "$2") continue ;; esac
    left=$((left + 1))
    [ $left -gt 64 ] && continue
    { read -r line <"$task/stat" && read -r comm <"$task/comm"; } 2>/dev/null || continue
    line=${line##*) }
    say blocker "$number ${task##*/} ${line%% *} $comm"
    [ -n "$3" ] && [ $left -le 8 ] && stack "$task"
  done
  say sample "$number $in_transition $left $tasks"
}

stack() {
  {
    while read -r line; do say stack "$number ${1##*/} ${line#*] }"; done <"$1/stack"
  } 2>/dev/null
}

# follow PATCH SIDE SECONDS: waits for the launched command and for the transition that it began.
follow() {
  now
  began=$seconds
  limit=$((seconds + $3))
  round=0
  while :; do
    # Stacks of those who hold it back are worth their time only once it lasts.
    deep=
    round=$((round + 1))
    [ $((seconds - began)) -ge 3 ] && [ $((round % 10)) -eq 0 ] && deep=1
    over=
    ended && over=1
    sample "$1" "$2" $deep
    if [ -n "$over" ]; then
      case $in_transition/$2 in
        0/1 | gone/0) break ;;
        gone/1)
          read -r status <$work/status
          if [ "$status" = 0 ]; then
            echo 'insmod loaded a module that made no livepatch of its name' >>$work/out
            echo 1 >$work/status
          fi
          break
          ;;
      esac
      read -r status <$work/status
      [ "$status" = 0 ] || break
    fi
    now
    if [ "$seconds" -ge $limit ]; then
      if [ -n "$over" ]; then
        sample "$1" "$2" 1
        reap
        status=stalled
      else
        abandon timeout
      fi
      ship
      return
    fi
    pause 0.2
  done
  reap
  ship
}

# Unloading waits for the last user of the module: for a moment after a revert there may be one.
unload='n=0
until rmmod "$1" 2>/run/livegraft/error; do
  n=$((n + 1))
  if [ $n -ge 20 ] || [ ! -d "/sys/module/$1" ]; then cat /run/livegraft/error; exit 1; fi
  sleep 0.5
done'

step() {
  case $kind in
    mark) status=0 ;;
    modprobe) launch modprobe "$@"; finish "$limit_seconds" ;;
    insmod) launch insmod "$@"; finish "$limit_seconds" ;;
    rmmod) launch rmmod "$@"; finish "$limit_seconds" ;;
    script) launch sh "/livegraft/steps/$number.sh"; finish "$limit_seconds" ;;
    load) launch insmod "/livegraft/bundles/$1.ko"; follow "$1" 1 "$limit_seconds" ;;
    revert) launch sh -c 'echo 0 >"/sys/kernel/livepatch/$1/enabled"' sh "$1"; follow "$1" 0 "$limit_seconds" ;;
    unload) launch sh -c "$unload" sh "$1"; finish "$limit_seconds" ;;
    *) status=unknown ;;
  esac
}

while read -r number kind when need limit_seconds arguments; do
  if [ $failed = 1 ]; then
    # What was never loaded needs no revert.
    case $when/$kind in
      ok/*) say skip "$number"; continue ;;
      */revert | */unload) [ -d "/sys/module/$arguments" ] || { say skip "$number"; continue; } ;;
    esac
  fi
  taint
  say begin "$number $taint"
  echo "<5>livegraft: step $number begins: $kind $arguments" >/dev/kmsg
  step $arguments
  echo "<5>livegraft: step $number ended: $status" >/dev/kmsg
  taint
  say end "$number $status $taint"
  [ "$status" = 0 ] || [ "$need" = may ] || failed=1
done </livegraft/plan
