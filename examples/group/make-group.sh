#!/bin/sh
# Makes the folders of four builders on this host for group.c, and the group that they are.
#
#   make-group.sh FOLDER SANDBOX SOURCE TOOLCHAIN [LINE]…
#       FOLDER/alder, birch, cedar and elm, FOLDER/group.txt, and FOLDER/policy for whoever verifies. TOOLCHAIN is a tar
#       that is named by its digest, as scripts/toolchain makes it. Each LINE goes to the plugins of the configurations.
set -eu
[ $# -ge 4 ] || { echo "usage: make-group.sh FOLDER SANDBOX SOURCE TOOLCHAIN [LINE]..." >&2; exit 2; }
folder=$1 sandbox=$2 source=$3 toolchain=$4
shift 4
# Ports of this host, one for each builder's transport; behind them those of gateways, which libsync does not open.
port=${FIRST_PORT:-7600}
for name in alder birch cedar elm; do
  synchronicity init --quiet --name "$name" --address "127.0.0.1:$port" --gateway "127.0.0.1:$((port + 4))" \
    --directory "$folder/$name" >/dev/null
  port=$((port + 1))
  configuration=$folder/$name/config.toml
  chosen=$(printf 'sandbox = "%s"\nsource = "%s"\n' "$sandbox" "$source" && printf '%s\n' "$@")
  CHOSEN=$chosen awk '/^(sandbox|source) = / {next} {print} /^\[plugins\]$/ {print ENVIRON["CHOSEN"]}' \
    "$configuration" >"$configuration.new"
  mv "$configuration.new" "$configuration"
  cat >>"$configuration" <<TOML
[toolchain]
digest = "$(basename "$toolchain" .tar)"
directories = ["$(dirname "$toolchain")"]
TOML
done
synchronicity group create --origin four.example --output "$folder/group.txt" --policy "$folder/policy" \
  "$folder/alder/alder.member" "$folder/birch/birch.member" "$folder/cedar/cedar.member" "$folder/elm/elm.member"
for name in alder birch cedar elm; do
  synchronicity group join --config "$folder/$name/config.toml" "$folder/group.txt"
done
