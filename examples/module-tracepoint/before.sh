[ "$(cat /sys/fs/ext4/features/lazy_itable_init)" = supported ]
