set -e
cat /proc/version
if grep -q livegraft /proc/version || grep -q livegraft /proc/uptime; then echo "patched without the patch"; exit 1; fi
