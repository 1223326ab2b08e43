set -e
grep RamTotal /proc/meminfo
if grep -q MemTotal /proc/meminfo; then echo "the old label is still there"; exit 1; fi
first=$(grep LivegraftReads /proc/meminfo | tr -dc 0-9)
second=$(grep LivegraftReads /proc/meminfo | tr -dc 0-9)
echo "read $first times, then $second"
[ "$second" -gt "$first" ]
