#!/bin/sh
# Holds what SYNC_NORMALISE names, for this shell and all that it starts; the recipe itself stands below.
set -eu
held=/build/normalise
cannot_hold() {
  echo "recipe: cannot hold $1" >&2
  echo condition-not-held >/output/failure
  exit 65
}
defines=
for name in $SYNC_NORMALISE; do
  case $name in
    clock) defines="$defines -DCLOCK=1704067200" ;;
    cpus)
      cpu=$(taskset -cp $$) || cannot_hold "the number of processors: is there a taskset in the toolchain?"
      cpu=${cpu##*: }
      taskset -cp "${cpu%%[,-]*}" $$ >/dev/null || cannot_hold "the number of processors"
      ;;
    kernel) defines="$defines -DKERNEL=\"6.1.0\"" ;;
    random) defines="$defines -DRANDOM=1" ;;
    readdir) defines="$defines -DREADDIR=1" ;;
    *) cannot_hold "$name, of which it knows nothing" ;;
  esac
done
#: library
cc -w -O1 -shared -fPIC $defines -o $held/held.so $held/held.c || cannot_hold "$SYNC_NORMALISE: is there a compiler?"
export LD_PRELOAD=$held/held.so
