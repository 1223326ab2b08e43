set -e
grep "example: version" /proc/version
grep "example: uptime" /proc/uptime
grep "example: .* threads" /proc/net/pktgen/pgctrl
