set -e
if dmesg | grep -q "the new pipe_read"; then echo "the new function runs without the patch"; exit 1; fi
# a reader that sleeps in pipe_read() for as long as nobody writes
mkfifo /tmp/pipe
sleep 100000 3>/tmp/pipe </dev/null >/dev/null 2>&1 &
cat /tmp/pipe >/tmp/read 2>&1 &
echo $! >/tmp/reader
sleep 1
grep -q pipe_read "/proc/$(cat /tmp/reader)/stack"
echo "$(cat /tmp/reader) sleeps in pipe_read()"
