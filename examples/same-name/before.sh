set -e
head -1 /proc/kallsyms
if grep -q "(kallsyms)" /proc/kallsyms; then echo "kallsyms is marked without the patch"; exit 1; fi
if grep -q "(vmalloc)" /proc/vmallocinfo; then echo "vmallocinfo is marked without the patch"; exit 1; fi
