set -e
grep -x 2097152 /proc/sys/fs/pipe-max-size
