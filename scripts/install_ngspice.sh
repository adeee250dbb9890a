#!/bin/sh
# Installs the ngspice shared library when it is missing, and says so. Uses sudo only when needed and present.
set -u
found() { .venv/bin/python -c 'from xbar_cli.spice.ngspice import find_library; import sys; sys.exit(find_library() is None)'; }

found && exit 0

if command -v apt-get >/dev/null 2>&1; then
  command="apt-get install -y --no-install-recommends libngspice0"
elif command -v brew >/dev/null 2>&1; then
  echo "ngspice is missing: installing it with brew"
  brew install libngspice || brew install ngspice
  found && exit 0
  echo "ngspice is still not found; install it, or set LIBNGSPICE to the library's path" >&2
  exit 1
else
  echo "ngspice is missing, and neither apt nor brew is here: install the ngspice shared library, or set LIBNGSPICE to its path" >&2
  exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
  prefix=""
elif command -v sudo >/dev/null 2>&1; then
  prefix="sudo "
else
  echo "ngspice is missing. Run this as root, then the same make again:" >&2
  echo "  $command" >&2
  exit 1
fi
echo "ngspice is missing: running ${prefix}$command"
log=$(mktemp)
if ! ${prefix}$command >"$log" 2>&1; then
  ${prefix}apt-get update >"$log" 2>&1
  ${prefix}$command >"$log" 2>&1 || { tail -n 5 "$log" >&2; rm -f "$log"; exit 1; }
fi
rm -f "$log"
found || { echo "ngspice is installed but not found; set LIBNGSPICE to the library's path" >&2; exit 1; }
