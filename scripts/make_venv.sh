#!/bin/sh
# make_venv.sh PYTHON FOLDER: a virtual environment where `python -m venv` failed: on Debian and Ubuntu it is a package apart.
set -u
python=$1
folder=$2
version=$($python -c 'import sys; print(f"{sys.version_info.major}.{sys.version_info.minor}")')
command="apt-get install -y --no-install-recommends python$version-venv"
if ! command -v apt-get >/dev/null 2>&1; then
  $python -m venv "$folder"
  exit
fi
if [ "$(id -u)" -eq 0 ]; then
  prefix=""
elif command -v sudo >/dev/null 2>&1; then
  prefix="sudo "
else
  echo "python's venv module is missing. Run this as root, then the same make again:" >&2
  echo "  $command" >&2
  exit 1
fi
echo "python's venv module is missing: running ${prefix}$command"
${prefix}$command >/dev/null 2>&1 || { ${prefix}apt-get update >/dev/null && ${prefix}$command >/dev/null; } || exit 1
$python -m venv "$folder"
