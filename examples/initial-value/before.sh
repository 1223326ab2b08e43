set -e
# a user may make a pipe this large, and not larger
grep -x 1048576 /proc/sys/fs/pipe-max-size
