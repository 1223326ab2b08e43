set -e
# they come again, and the kernel tests them with the new code
for module in chacha_x86_64 aesni_intel; do rmmod $module; modprobe $module; done
for driver in chacha20-simd ctr-aes-aesni; do
  grep -A 4 "^driver *: $driver\$" /proc/crypto | grep -q '^selftest *: passed$'
done
dmesg | grep "livegraft example:"
dmesg | grep -q "livegraft example: ctr_crypt()"
# keys that are on, and one that is off where the processor has no AVX-512
has() { if grep -qw "$1" /proc/cpuinfo; then echo 1; else echo 0; fi; }
dmesg | grep -q "livegraft example: chacha simd $(has ssse3) avx2 $(has avx2) avx512vl $(has avx512vl)"
