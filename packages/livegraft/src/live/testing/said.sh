# What scripts in guests use to tell what commands say, and how they end (said.ts reads it). LG: livegraft's command line.
lg() { $LG "$@" 2>/tmp/err; }
run() { label=$1; shift; echo "### $label"; "$@"; echo "=== $?"; }
# a minute at most
wait_for() { n=0; until "$@" 2>/dev/null || [ $n -ge 600 ]; do sleep 0.1; n=$((n + 1)); done; }
