set -e
# they come again, and the kernel tests them with the new code
rmmod chacha libchacha
modprobe chacha
grep -A 4 "^driver *: chacha20-lib\$" /proc/crypto | grep -q '^selftest *: passed$'
# the new code sees the tracepoint off, on, off, and what it calls is what the tracepoint has then
sh -e /tmp/traced
dmesg | grep "livegraft example:"
dmesg | grep -q "livegraft example: cache_entry_update()"
dmesg | grep -q "livegraft example: chacha20 is tested"
# keys that are on, and one that is off where the processor has no AVX-512
has() { if grep -qw "$1" /proc/cpuinfo; then echo 1; else echo 0; fi; }
dmesg | grep -q "livegraft example: chacha simd $(has ssse3) avx2 $(has avx2) avx512vl $(has avx512vl)"
