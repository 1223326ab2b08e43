set -e
kill -0 "$(cat /tmp/pid)"
dmesg | grep "example: 0 fields left"
