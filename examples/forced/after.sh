# the kernel lists the reader beside the writer
ls -d /sys/kernel/livepatch/*/vmlinux/eventfd_write,1 /sys/kernel/livepatch/*/vmlinux/eventfd_read,1
