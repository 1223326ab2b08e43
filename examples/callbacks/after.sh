set -e
grep "example: version" /proc/version
grep "example: pktgen" /proc/net/pktgen/pgctrl
# each object on its own: before its functions are replaced; after the transition: all of them
dmesg | sed -n 's/.*livegraft example: //p' >/tmp/callbacks
cat /tmp/callbacks
cat >/tmp/expected <<'END'
version pre_patch
pktgen pre_patch
version post_patch
pktgen post_patch
END
cmp /tmp/callbacks /tmp/expected
