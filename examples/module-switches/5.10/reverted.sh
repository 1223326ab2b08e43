set -e
dmesg -c >/dev/null
grep -x fallback /sys/module/crc_t10dif/parameters/transform
sh -e /tmp/traced
if dmesg | grep "livegraft example:"; then echo "the new code runs without the patch"; exit 1; fi
