# nothing replaces the reader
! ls /sys/kernel/livepatch/*/vmlinux/eventfd_read,1 2>/dev/null
