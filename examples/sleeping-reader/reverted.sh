set -e
# still the same reader: it noticed neither way
kill -0 "$(cat /tmp/reader)"
grep -q pipe_read "/proc/$(cat /tmp/reader)/stack"
echo again >/tmp/pipe
sleep 1
grep again /tmp/read
