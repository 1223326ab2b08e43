set -e
dmesg -c >/dev/null
sh -e /tmp/traced
if dmesg | grep "livegraft example:"; then echo "the new code runs without the patch"; exit 1; fi
