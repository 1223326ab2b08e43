set -e
cat /proc/loadavg
grep '^[0-9]\.[0-9][0-9] [0-9]\.[0-9][0-9] [0-9]\.' /proc/loadavg
