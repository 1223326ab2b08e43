# One command, or a shell on a terminal, in a guest that shows the host's folder tree: /livegraft/command.env says what.
# Set there: load share interactive rows columns term (livegraft's vm/shell.ts writes it); the command itself is /livegraft/run.sh.
. /livegraft/command.env
echo 8 >/proc/sys/kernel/printk

root=
trouble() {
  say trouble "$1"
  say exit 125
  leave
}

if [ -n "$load" ]; then
  for module in $load; do
    modprobe "$module" 2>/tmp/error || trouble "modprobe $module: $(head -n 1 /tmp/error)"
  done
fi

if [ -n "$share" ]; then
  root=/mnt/root
  mkdir -p /mnt/host /mnt/layer $root
  mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /mnt/host 2>/tmp/error ||
    trouble "mount 9p: $(head -n 1 /tmp/error)"
  # What is written stays in the guest's memory: the host's folders are the lower, read-only layer.
  mount -t tmpfs -o size=75% layer /mnt/layer
  mkdir /mnt/layer/upper /mnt/layer/work
  mount -t overlay -o lowerdir=/mnt/host,upperdir=/mnt/layer/upper,workdir=/mnt/layer/work overlay $root 2>/tmp/error ||
    trouble "mount overlay: $(head -n 1 /tmp/error)"
  mkdir -p $root/proc $root/sys $root/dev $root/run $root/tmp
  mount -t proc proc $root/proc
  mount --rbind /sys $root/sys 2>/dev/null || mount -t sysfs sys $root/sys
  mount --rbind /dev $root/dev
  mount -t tmpfs run $root/run
  # The guest's own modules, where its modprobe and the host's look for them.
  mkdir -p "$root/lib/modules/$(uname -r)" $root/run/livegraft
  mount --bind "/lib/modules/$(uname -r)" "$root/lib/modules/$(uname -r)"
  mount --bind /livegraft $root/run/livegraft
  command=/run/livegraft/run.sh
else
  command=/livegraft/run.sh
fi

ip link set lo up 2>/dev/null

# enter PROGRAM…: runs it in the tree the user sees.
enter() {
  if [ -n "$root" ]; then exec chroot $root "$@"; else exec "$@"; fi
}

say ready
if [ "$interactive" = 1 ]; then
  stty -F /dev/ttyS2 sane rows "$rows" cols "$columns"
  (
    exec 3>&-
    TERM=$term
    export TERM
    enter setsid -c sh $command <>/dev/ttyS2 >&0 2>&1
  )
  code=$?
else
  # Through pipes, so that programs see no terminal; the two streams stay apart and byte for byte.
  stty -F /dev/ttyS2 raw -echo
  stty -F /dev/ttyS3 raw -echo
  mkfifo /tmp/out /tmp/err
  cat /tmp/out >/dev/ttyS2 3>&- &
  out=$!
  cat /tmp/err >/dev/ttyS3 3>&- &
  err=$!
  (
    exec 3>&-
    enter sh $command </dev/null >/tmp/out 2>/tmp/err
  )
  code=$?
  # Children that the command left behind may keep the pipes open: they get a moment.
  n=0
  while [ -d /proc/$out ] && [ $n -lt 20 ]; do
    read -r line </proc/$out/stat || break
    case ${line##*) } in Z*) break ;; esac
    sleep 0.1
    n=$((n + 1))
  done
  kill $out $err 2>/dev/null
  wait $out $err 2>/dev/null
fi
say exit "$code"
