#!/bin/sh
# One part of packaging/boot.mjs's proof, by `proof=STAGE` on the kernel's command line; then the machine is switched off.
export LC_ALL=C NO_COLOR=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin
stage=$(sed 's/.*proof=\([^ ]*\).*/\1/' /proc/cmdline)
check() {
  what=$1
  shift
  if "$@" >/tmp/said 2>&1; then echo "ok $what"; else
    echo "FAILED $what"
    tail -n 8 /tmp/said | sed 's/^/| /'
  fi
}
not() { ! "$@"; }
completes() { bash -c '. /usr/share/bash-completion/completions/livegraft; COMP_WORDS=(livegraft "$@"); COMP_CWORD=$#; _livegraft; echo "${COMPREPLY[@]}"' - "$@" | grep -q "$expected"; }
logged() { journalctl -b -q -o cat LIVEGRAFT_ACTION="$1" LIVEGRAFT_NAME=livegraft_proof LIVEGRAFT_OUTCOME="$2" | grep -q .; }
patched() { grep -q RamTotal /proc/meminfo; }
failed_units() { [ -z "$(systemctl list-units --failed --no-legend 'livegraft*')" ]; }

echo
case $stage in
enable)
  check 'nothing enabled: the service is content' systemctl is-active livegraft.service
  check 'units verify' systemd-analyze verify --man=no /usr/lib/systemd/system/livegraft*
  check 'nothing is loaded' not patched
  check 'doctor --host: livepatches can be loaded' livegraft doctor --host
  check 'enable' livegraft enable /root/livegraft_proof
  check 'enable loads nothing' not patched
  ;;
loaded)
  check 'the service is active' systemctl is-active livegraft.service
  check 'the new code runs after boot' patched
  check 'status --check' livegraft status --check
  check 'the settled timer waits' systemctl is-active livegraft-settled.timer
  check 'the figures are off' not systemctl is-active livegraft-metrics.timer
  check 'stop' systemctl stop livegraft.service
  check 'stop unloads nothing' patched
  check 'start again: loaded already is no failure' systemctl start livegraft.service
  ;;
kept-off)
  check 'livegraft=off: nothing is loaded' not patched
  check 'livegraft=off: by hand too' livegraft boot
  check 'livegraft=off: still nothing' not patched
  touch /etc/livegraft/off
  ;;
file-off)
  check '/etc/livegraft/off: nothing is loaded' not patched
  rm /etc/livegraft/off
  check 'without it, start loads' systemctl start livegraft.service
  check 'the new code runs' patched
  expected='^livegraft_proof$'
  check 'bash completes what is loaded' completes revert livegraft_
  check 'revert' livegraft revert livegraft_proof
  check 'reverted' not patched
  check 'the journal of systemd has it, by fields' logged revert reverted
  check 'disable' livegraft disable livegraft_proof
  check 'enable --now' livegraft enable --now /root/livegraft_proof
  check 'the new code runs at once' patched
  ;;
removed)
  check 'the new code runs after boot' patched
  check 'remove, with it loaded' dpkg -r livegraft
  cp /tmp/said /tmp/removed
  check 'remove tells what stays' grep -q 'livepatches stay in the kernel until it is booted again: livegraft_proof' /tmp/removed
  check 'it stays' patched
  ;;
esac
check 'no unit failed' failed_units
journalctl -b -q --no-pager -o cat -u 'livegraft*' | tail -n 8 | sed 's/^/| /'
echo "proof of $stage ends"
systemctl poweroff --no-block
