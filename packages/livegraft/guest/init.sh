#!/bin/busybox sh
# The first process of livegraft's guests: mounts what every guest needs, then runs what this one is for.
# Everything here is busybox; nothing depends on the distribution.
export PATH=/sbin:/bin:/usr/sbin:/usr/bin HOME=/root TERM=linux

/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox --install -s
mount -t debugfs debug /sys/kernel/debug 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 pts /dev/pts 2>/dev/null
hostname livegraft

# livegraft's own channel carries lines of its own making, byte for byte.
stty -F /dev/ttyS1 raw -echo
exec 3>/dev/ttyS1

# say KIND [TEXT]: one line on the channel, with the guest's uptime in seconds.
say() {
  read -r uptime _ </proc/uptime
  printf '%s %s %s\n' "$1" "$uptime" "$2" >&3
}

# leave: the channel's last bytes go out when its last writer closes it; then the machine stops at once.
leave() {
  say done
  exec 3>&-
  reboot -f
}

say hello "1 $(uname -r)"
. /livegraft/main.sh
leave
