mount | grep -q "on /sys/kernel/tracing " || mount -t tracefs tracefs /sys/kernel/tracing
said() { cat /sys/fs/ext4/features/lazy_itable_init; }
on=/sys/kernel/tracing/events/ext4/ext4_sync_fs/enable
# the new code reads the key's counter: off, on, and off again
[ "$(said)" = "supported, tracing off" ] || exit 1
echo 1 >$on
[ "$(said)" = "supported, tracing on" ] || exit 1
echo 0 >$on
[ "$(said)" = "supported, tracing off" ]
