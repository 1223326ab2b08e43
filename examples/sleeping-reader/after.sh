set -e
# the sleeper did not notice: it is still there, sleeps again, and reads what comes
kill -0 "$(cat /tmp/reader)"
echo hello >/tmp/pipe
sleep 1
grep hello /tmp/read
dmesg | grep "the new pipe_read"
