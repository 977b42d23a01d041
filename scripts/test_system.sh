#!/bin/sh
# What the tests need from the system: a browser, Chinese fonts for it, PostgreSQL. Installed where we may.
set -u
missing=""
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$missing chromium"
ls /usr/share/fonts/*/noto/NotoSansCJK* >/dev/null 2>&1 || missing="$missing fonts-noto-cjk"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$missing postgresql"
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null || { echo "missing for some tests, which will be skipped:$missing" >&2; exit 0; }
if [ "$(id -u)" = 0 ]; then as=""; elif sudo -n true 2>/dev/null; then as="sudo -n"; else
    echo "some tests will be skipped; install what they need with: sudo apt-get install$missing" >&2
    exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# PostgreSQL is started by the tests themselves, on a socket of their own: no cluster of the system is wanted.
[ -e /etc/postgresql-common/createcluster.conf ] || {
    $as mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $as tee /etc/postgresql-common/createcluster.conf >/dev/null
}
$as apt-get update -qq
# shellcheck disable=SC2086
$as apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    { echo "could not be installed:$missing; with CI=true the tests that need them fail" >&2; exit 0; }
