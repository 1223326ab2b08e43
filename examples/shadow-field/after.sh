set -e
# root and the one who exists were converted
dmesg | grep "example: 2 users have the field"
start-stop-daemon -S -c old -x /bin/true
start-stop-daemon -S -c old -x /bin/true
dmesg | grep "example: user 1000 seen 2 times"
# a user that comes, goes, and comes again starts anew
start-stop-daemon -S -c new -x /bin/true
sleep 1
start-stop-daemon -S -c new -x /bin/true
dmesg | grep "example: user 1001 seen 1 times"
if dmesg | grep "example: user 1001 seen 2 times"; then echo "the field outlived its user"; exit 1; fi
