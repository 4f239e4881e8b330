#!/bin/sh
# Installs the join registrar as a service of systemd, and leaves `systemctl enable --now jrc` to be
# typed. As root, from an unpacked release or a checkout:
#
#   deploy/systemd/install.sh [WHEEL]
#
# With a wheel, or where there is no `jrc` yet, the program is installed in /usr/local/lib/jrc. Then
# the units, the group `jrc`, and, where there is no /etc/jrc/config.toml, a config file, a database
# and its key, which this host (or its TPM) alone can open from then on. Given again it renews
# program and units, and leaves config file, key and database as they are.
set -eu
# Whoever installs it: the service has to read what is put down, and systemd looks for programs here.
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
unset JRC_CONFIG

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=$(dirname "$(dirname "$here")")
home=/usr/local/lib/jrc
config=/etc/jrc/config.toml
credential=/etc/credstore.encrypted/jrc-kek

fail() { echo "install.sh: $1" >&2; exit "${2:-1}"; }
say() { echo "$*"; }

install_program() {
    command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3 python3-venv"
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or later with venv is needed: apt-get install python3-venv"
    python3 -m venv "$home"
    "$home/bin/python" -m pip install --quiet --require-hashes --no-deps \
        -r "$top/requirements/run.txt"
    "$home/bin/python" -m pip install --quiet --no-deps --no-index --force-reinstall "$1"
    ln -sf "$home/bin/jrc" /usr/local/bin/jrc
    say "program              $home, /usr/local/bin/jrc"
}

# Man pages and completions, to where man and shells look beside /usr/local/bin.
link_shared() {
    [ -d "$home/share" ] || return 0
    (cd "$home/share" && find man bash-completion zsh fish -type f 2>/dev/null) |
        while read -r file; do
            mkdir -p "/usr/local/share/${file%/*}"
            ln -sf "$home/share/$file" "/usr/local/share/$file"
        done
}

install_units() {
    for unit in "$here"/jrc*.service "$here"/jrc*.socket "$here"/jrc*.timer; do
        install -m 644 "$unit" /etc/systemd/system/
    done
    if [ "$version" -ge 253 ]; then
        install -D -m 644 "$here/notify-reload.conf" \
            /etc/systemd/system/jrc.service.d/notify-reload.conf
    fi
    install -D -m 644 "$here/jrc.sysusers" /etc/sysusers.d/jrc.conf
    install -D -m 644 "$here/jrc.tmpfiles" /etc/tmpfiles.d/jrc.conf
    install -m 755 "$here/jrc-offline" /usr/local/sbin/jrc-offline
    systemd-sysusers jrc.conf
    systemd-tmpfiles --create jrc.conf
    if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
    say "units                /etc/systemd/system/jrc*"
}

# The key goes from the kernel to systemd-creds by a pipe: no file ever has it as it is.
make_credential() (
    umask 077
    od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' |
        systemd-creds encrypt --name=jrc-kek - "$credential" 2>/dev/null
)

make_database() {
    if [ -e "$credential" ]; then
        init_with_credential
        say "key                  $credential, as it was"
    elif make_credential; then
        init_with_credential || { rm -f "$credential"; exit 1; }
        say "key                  $credential, for this host alone"
    else
        jrc init >/dev/null
        chgrp jrc "$config"
        say "key                  /var/lib/jrc/kek; systemd-creds can't encrypt here"
    fi
    say "config file          $config"
    say "database             /var/lib/jrc/jrc.db"
}

# The config file comes last: until it is there, the next try begins anew.
init_with_credential() {
    new=$config.new
    sed 's|^kek_file = .*|credential = "jrc-kek"|' "$top/config.example.toml" >"$new" &&
        jrc-offline --config "$new" init >/dev/null &&
        chgrp jrc "$new" && chmod 640 "$new" && mv "$new" "$config" && return
    rm -f "$new"
    return 1
}

[ "$(id -u)" = 0 ] || fail "run it as root" 6
command -v systemctl >/dev/null || fail "there is no systemd on this host; see docs/systemd.md"
version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
[ "${version:-0}" -ge 250 ] || fail "systemd $version is too old: 250 or later is needed"
[ $# -le 1 ] || fail "name one wheel, the newest: $*" 2
if [ $# -gt 0 ]; then
    install_program "$1"
elif ! command -v jrc >/dev/null; then
    fail "there is no jrc on this host: name its wheel, which \`make wheel\` puts into dist/" 2
fi
case $(command -v jrc) in
/usr/*) ;;
*) fail "$(command -v jrc) is not in /usr, where alone the service may execute programs" ;;
esac
link_shared
install_units
if [ -e "$config" ]; then
    say "config file          $config, as it was"
else
    make_database
fi
cat <<'END'

Next:

  systemctl enable --now jrc
  jrc keys add recovery paper              # for the day on which this host's disk is gone
  jrc network add lab --network-id cafe --prefix 2001:db8:0:1::/64
  jrc pledge add 00124b0014b5b67e --psk-file FILE

Who is in the group jrc may do so: usermod -aG jrc USER. docs/systemd.md goes on from here.
END
