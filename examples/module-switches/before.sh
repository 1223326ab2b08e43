set -e
if dmesg | grep -q "livegraft example:"; then echo "the new code runs without the patch"; exit 1; fi
# when they came the kernel tested them
for driver in chacha20-simd ctr-aes-aesni; do
  grep -A 4 "^driver *: $driver\$" /proc/crypto | grep -q '^selftest *: passed$'
done
