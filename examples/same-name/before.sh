set -e
severities=/sys/kernel/debug/mce/severities-coverage
[ -e $severities ] || mount -t debugfs debugfs /sys/kernel/debug
head -1 /proc/kallsyms
head -1 $severities
if grep -q "(kallsyms)" /proc/kallsyms; then echo "kallsyms is marked without the patch"; exit 1; fi
if grep -q "(severities)" $severities; then echo "severities are marked without the patch"; exit 1; fi
