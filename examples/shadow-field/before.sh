set -e
if dmesg | grep -q "livegraft example:"; then echo "the new code runs without the patch"; exit 1; fi
# a user that exists, and goes on existing
echo 'old:x:1000:1000::/:/bin/sh' >/etc/passwd
echo 'new:x:1001:1001::/:/bin/sh' >>/etc/passwd
echo 'old:x:1000:' >/etc/group
echo 'new:x:1001:' >>/etc/group
start-stop-daemon -S -b -m -p /tmp/pid -c old -x /bin/sleep -- 100000
sleep 1
kill -0 "$(cat /tmp/pid)"
