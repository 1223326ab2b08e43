set -e
cat /proc/loadavg
grep '^1000\.[0-9][0-9] 1000\.[0-9][0-9] 1000\.' /proc/loadavg
if [ -e /proc/pressure/cpu ]; then grep 'avg10=1000\.' /proc/pressure/cpu; fi
