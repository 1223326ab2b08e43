set -e
dmesg -c >/dev/null
for module in chacha_x86_64 aesni_intel; do rmmod $module; modprobe $module; done
for driver in chacha20-simd ctr-aes-aesni; do
  grep -A 4 "^driver *: $driver\$" /proc/crypto | grep -q '^selftest *: passed$'
done
if dmesg | grep "livegraft example:"; then echo "the new code runs without the patch"; exit 1; fi
