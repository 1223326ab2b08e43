set -e
severities=/sys/kernel/debug/mce/severities-coverage
grep -m 1 "(kallsyms)" /proc/kallsyms
grep -m 1 "(severities)" $severities
if grep -q "(severities)" /proc/kallsyms || grep -q "(kallsyms)" $severities; then echo "they are swapped"; exit 1; fi
