set -e
grep MemTotal /proc/meminfo
if grep -q RamTotal /proc/meminfo; then echo "the new label is there without the patch"; exit 1; fi
