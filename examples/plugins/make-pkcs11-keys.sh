#!/usr/bin/env bash
# Makes a SoftHSM2 token with the five keys of a node, to try signer-pkcs11.c with. All of it lies in one folder: the
# token store, its configuration, the PIN file. Keys are never overwritten.
#
#   examples/plugins/make-pkcs11-keys.sh DIR
#
# Debian: softhsm2, opensc. SOFTHSM2_MODULE is the path of SoftHSM2's library where it is another than Debian's.
# Prints the lines for the configuration of the node, whose process wants SOFTHSM2_CONF in its environment.
# Exit: 0 done, 1 it failed, 2 usage, 3 the environment lacks something.
set -euo pipefail

fail() { echo "make-pkcs11-keys: $2" >&2; exit "$1"; }
[[ $# == 1 && -n $1 ]] || fail 2 "usage: make-pkcs11-keys.sh DIR"
module=${SOFTHSM2_MODULE:-/usr/lib/softhsm/libsofthsm2.so}
[[ -f $module ]] || fail 3 "there is no $module; on Debian: apt-get install softhsm2"
command -v pkcs11-tool >/dev/null || fail 3 "there is no pkcs11-tool; on Debian: apt-get install opensc"

umask 077
mkdir -p "$1"
dir=$(cd "$1" && pwd)
[[ ! -e $dir/softhsm2.conf ]] || fail 1 "$dir has a token already, and keys are never overwritten"
mkdir "$dir/tokens"
cat >"$dir/softhsm2.conf" <<CONF
directories.tokendir = $dir/tokens
objectstore.backend = file
log.level = ERROR
CONF
export SOFTHSM2_CONF=$dir/softhsm2.conf

# PINs go through the environment and files of mode 0600, never through a command line, which others can see.
random_pin() { od -An -N12 -tx1 /dev/urandom | tr -d ' \n'; }
PIN=$(random_pin)
SO_PIN=$(random_pin)
export PIN SO_PIN
echo "$PIN" >"$dir/pin"
echo "$SO_PIN" >"$dir/so-pin"

tool() { pkcs11-tool --module "$module" "$@" >"$dir/tool.log" 2>&1 || { cat "$dir/tool.log" >&2; exit 1; }; }
token=synchronicity
tool --init-token --slot-index 0 --label "$token" --so-pin env:SO_PIN
tool --token-label "$token" --init-pin --login --login-type so --so-pin env:SO_PIN --new-pin env:PIN
id=1
for role in log cosigner builder consensus transport; do
  tool --token-label "$token" --login --pin env:PIN --keypairgen --key-type EC:edwards25519 \
    --label "sync-$role" --id "0$id" --usage-sign
  id=$((id + 1))
done
rm "$dir/tool.log"

cat <<LINES
# The node's environment: SOFTHSM2_CONF=$dir/softhsm2.conf
[settings.pkcs11]
module = "$module"
token = "$token"
pin-file = "$dir/pin"
LINES
