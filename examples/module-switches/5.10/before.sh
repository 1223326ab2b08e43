set -e
if dmesg | grep -q "livegraft example:"; then echo "the new code runs without the patch"; exit 1; fi
# a way to get an entry into a cache of sunrpc, and what its tracepoint says of it
cat >/tmp/traced <<'END'
mount | grep -q "on /sys/kernel/tracing " || mount -t tracefs tracefs /sys/kernel/tracing
cd /sys/kernel/tracing
enter() { echo "nfsd 10.0.0.$1 $(($(date +%s) + 3600)) somebody" >/proc/net/rpc/auth.unix.ip/channel; }
seen() { grep -c "cache_entry_update: cache=auth.unix.ip" trace || true; }
echo >trace
enter 1
[ "$(seen)" = 0 ]
echo 1 >events/sunrpc/cache_entry_update/enable
enter 2
enter 3
echo 0 >events/sunrpc/cache_entry_update/enable
enter 4
grep "cache_entry_update:" trace
[ "$(seen)" = 2 ]
END
sh -e /tmp/traced
