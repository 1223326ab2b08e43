set -e
if dmesg | grep -q "livegraft example:"; then echo "a callback ran without the patch"; exit 1; fi
cat /proc/version
