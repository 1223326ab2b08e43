set -e
# the new code sees the tracepoint off, on, off, and what it calls is what the tracepoint has then
sh -e /tmp/traced
dmesg | grep "livegraft example: cache_entry_update()"
