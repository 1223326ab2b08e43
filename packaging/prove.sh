#!/bin/sh
# In a bare Debian: older package, upgrade, use, removal, return, purge. A line for each: `ok WHAT` or `FAILED WHAT`, on descriptor 3.
# Called by packaging/prove.mjs with /proof/older.deb, newer.deb, before.o and after.o in place.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root
cd /proof || exit 1

check() {
  what=$1
  shift
  if "$@" >/proof/out 2>&1; then echo "ok $what" >&3; else
    echo "FAILED $what" >&3
    tail -n 5 /proof/out >&3
  fi
}
exits() {
  wanted=$1
  shift
  "$@"
  [ $? -eq "$wanted" ]
}
install() { apt-get install -y --no-install-recommends "$1" </dev/null; }
listing() { find / -xdev \( -path /proc -o -path /sys -o -path /proof -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log -o -path /tmp \) -prune -o -print | sort; }
says() {
  pattern=$1
  shift
  "$@" | grep -q -- "$pattern"
}
enabled() { [ -L /etc/systemd/system/multi-user.target.wants/livegraft.service ] && [ ! -e /etc/systemd/system/timers.target.wants/livegraft-metrics.timer ]; }
completes() { bash -c '. /usr/share/bash-completion/completions/livegraft; COMP_WORDS=(livegraft "$@"); COMP_CWORD=$#; _livegraft; echo "${COMPREPLY[@]}"' - "$@"; }
gone() { [ ! -e /usr/lib/livegraft ] && [ ! -e /usr/bin/livegraft ]; }
kept() { [ -e /etc/livegraft/off ] && [ -e /var/lib/livegraft/enabled/trial ]; }

check 'no Node here, or one that is too old' sh -c '! command -v node'
check 'apt-get update' apt-get update
apt-get install -y --no-install-recommends kmod </dev/null >/dev/null 2>&1
listing >/proof/before
check 'apt-get install, an older version' install ./older.deb
mkdir -p /var/lib/livegraft/enabled/trial && touch /etc/livegraft/off
check 'upgrade' install ./newer.deb
check 'an upgrade keeps what is enabled and the switch' kept
check 'units enabled for the next boot, figures not' enabled
check '--version' says "^$(dpkg-query -W -f '${Version}' livegraft)\$" livegraft --version
check '--help' says 'load' livegraft --help
check 'status: JSON, whatever the kernel has' says '"command": "status"' livegraft status --json
check 'doctor: 1, and names what builders need' exits 1 livegraft doctor
check 'diff of two objects' says 'patchable' livegraft diff before.o after.o
check 'NODE_OPTIONS of others do not count' env NODE_OPTIONS=--nonsense livegraft --version
check 'man pages are there' sh -c 'zcat /usr/share/man/man1/livegraft.1.gz /usr/share/man/man8/livegraft.service.8.gz | grep -q "^.SH EXIT STATUS"'
check 'bash completes a command' says '^revert$' completes rev
check 'bash completes a value' says '^keep$' completes load --on-stall k
check 'every file as packed' dpkg --verify livegraft
check 'remove' apt-get remove -y livegraft
check 'the program is gone' gone
check 'remove keeps what was enabled and the switch' kept
check 'dpkg -i, back again' dpkg -i newer.deb
check 'and it runs' livegraft --version
check 'purge' dpkg --purge livegraft
listing >/proof/after
check 'nothing is left' diff /proof/before /proof/after
