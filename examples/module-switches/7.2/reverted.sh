set -e
dmesg -c >/dev/null
rmmod chacha libchacha
modprobe chacha
grep -A 4 "^driver *: chacha20-lib\$" /proc/crypto | grep -q '^selftest *: passed$'
sh -e /tmp/traced
if dmesg | grep "livegraft example:"; then echo "the new code runs without the patch"; exit 1; fi
