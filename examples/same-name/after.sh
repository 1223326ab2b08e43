set -e
grep -m 1 "(kallsyms)" /proc/kallsyms
grep -m 1 "(vmalloc)" /proc/vmallocinfo
if grep -q "(vmalloc)" /proc/kallsyms || grep -q "(kallsyms)" /proc/vmallocinfo; then echo "they are swapped"; exit 1; fi
