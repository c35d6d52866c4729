#!/bin/sh
# Builds one wheel from a Python source distribution, offline, always under the same paths.
#
# In:  /input/package/sdist.tar.gz   as the index has it
#      SYNC_STEP                     describe | build (the default); the first serves whoever writes the spec
#      SYNC_ARTIFACTS                the wheel's file name
# Out: /output
# A failure's name goes to /output/failure; docs/RECIPES.md has the names. Anything else from pip: the build failed.
set -eu
# A wheel keeps the mode bits of what goes into it.
umask 022

# fail NAME SENTENCE: names the failure for the evidence. What was built may have written there too.
fail() {
  echo "recipe: $1: $2" >&2
  rm -rf /output/failure
  echo "$1" >/output/failure
  exit 65
}

mkdir -p /build/src /build/wheels "$HOME"
cd /build/src
tar --extract --gzip --file=/input/package/sdist.tar.gz --no-same-owner --no-same-permissions ||
  fail archive-refused "the archive cannot be unpacked"
set -- *
[ $# = 1 ] && [ -d "$1" ] || fail archive-refused "the archive holds not one folder"
cd "$1"
[ -f pyproject.toml ] || [ -f setup.py ] || fail no-manifest "there is neither pyproject.toml nor setup.py"

# A shell without pipefail tells the status through a file.
{ python3 -m pip --no-input --disable-pip-version-check --no-cache-dir --no-color wheel --no-index --no-deps \
  --no-build-isolation --check-build-dependencies --progress-bar off --wheel-dir /build/wheels . 2>&1 ||
  echo failed >/build/failed; } | tee /build/pip.log
if [ -f /build/failed ]; then
  missing=$(sed -n 's/.*Some build dependencies for .* are missing: //p' /build/pip.log)
  [ -z "$missing" ] || fail missing-dependency "the toolchain lacks what the build wants: $missing"
  ! grep -qiE 'could not resolve host|name resolution|network is unreachable' /build/pip.log ||
    fail needs-network "the build wants the network, which no sandbox has"
  rm -rf /output/failure
  exit 1
fi

cd /build/wheels
set -- *.whl
[ $# = 1 ] && [ -f "$1" ] || fail artifact-not-built "pip built no wheel, or several"
if [ "${SYNC_STEP:-build}" = describe ]; then
  echo "$1" >/output/artifacts.txt
  python3 -c 'import sysconfig; print(sysconfig.get_platform())' >/output/target.txt
  exit 0
fi
[ "$1" = "$SYNC_ARTIFACTS" ] || fail artifact-not-built "pip built $1, not $SYNC_ARTIFACTS"
cp "$1" "/output/$1"
