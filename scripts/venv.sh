#!/bin/sh
# Make a virtual environment, also on a Debian that ships Python without its venv package.
set -eu
target=$1
python=${PYTHON:-python3}
if "$python" -m venv "$target" 2>/dev/null; then exit 0; fi
rm -rf "$target"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing python3-venv"
    apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
    exec "$python" -m venv "$target"
fi
echo "$python cannot make a virtual environment; install it with: sudo apt-get install python3-venv" >&2
exit 1
