set -e
cat /proc/loadavg
grep '^10[0-9][0-9]\.[0-9][0-9] 10[0-9][0-9]\.[0-9][0-9] 10[0-9][0-9]\.' /proc/loadavg
# a percentage, and the guest may be busy
if [ -e /proc/pressure/cpu ]; then grep 'avg10=1[01][0-9][0-9]\.' /proc/pressure/cpu; fi
