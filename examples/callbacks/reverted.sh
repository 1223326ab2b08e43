set -e
if grep -q livegraft /proc/version; then echo "patched without the patch"; exit 1; fi
# the trial unloads and loads pktgen before it takes the patch back
dmesg | sed -n 's/.*livegraft example: //p' | sed 1,4d >/tmp/callbacks
cat /tmp/callbacks
cat >/tmp/expected <<'END'
pktgen pre_unpatch
pktgen post_unpatch
pktgen pre_patch
pktgen post_patch
version pre_unpatch
pktgen pre_unpatch
version post_unpatch
pktgen post_unpatch
END
cmp /tmp/callbacks /tmp/expected
