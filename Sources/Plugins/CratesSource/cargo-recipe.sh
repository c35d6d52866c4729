#!/bin/sh
# Builds one crate from pinned sources, offline, always under the same paths.
#
# In: /input/package: source tree of the crate, read-only
#   /registry/NAME-VERSION: each pinned dependency, a cargo directory source, read-only; for the lock step also a local
#     registry, /registry/index, of all that could be chosen
#   SYNC_STEP: describe | lock | build (the default); the first two serve whoever writes the spec
#   SYNC_FEATURES: "NAME=VALUE,VALUE NAME= ...", the features that are on, which replace [features]
#   SYNC_DROP: optional dependencies that are off, neither locked nor fetched
#   SYNC_ENABLE: what to pass to --features, comma-separated
#   SYNC_LOCK_SHA256: SHA-256 of the Cargo.lock at which the pinned crates must arrive
#   SYNC_OPTIONS: what else to pass to cargo build (--profile, --target, --lib, --bin ...)
#   SYNC_DIRECTORY: where below target cargo leaves what it built; release unless given
#   SYNC_ARTIFACTS: file names below that folder
# Out: /output
# Exit: 65 the crates do not fit together, 66 another lock than the pinned one, 67 an artifact is missing, 68 the build
#   wants the network, 101 from cargo: the build failed.
set -eu
umask 022

fail() {
  status=$1
  shift
  echo "recipe: $*" >&2
  exit "$status"
}

# Drops from the manifest what only the crate's authors need (dev-dependencies, tests, benches, examples, the outer
# workspace) and what is switched off, since cargo would lock all of it. TOML is read as far as it takes to see where
# a table begins: brackets, comments and strings of all four kinds.
prepare_manifest() {
  awk -v drop=" ${SYNC_DROP:-} " -v features="${SYNC_FEATURES:-}" -v step="${SYNC_STEP:-}" \
    -v apostrophe="'" '
    function scan(line,   i, c) {
      for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (quote != "") {
          if (c == "\\" && quote ~ /"/) i++
          else if (substr(line, i, length(quote)) == quote) { i += length(quote) - 1; quote = "" }
        } else if (c == "\"" || c == apostrophe) {
          quote = substr(line, i, 3) == c c c ? c c c : c
          i += length(quote) - 1
        } else if (c == "#") return
        else if (c == "[" || c == "{") depth++
        else if (c == "]" || c == "}") depth--
      }
      if (length(quote) == 1) quote = ""
    }
    # Splits a dotted key into part[1...n]; ends at "]" or "=".
    function split_key(text,   i, c, q) {
      n = 1
      part[1] = part[2] = part[3] = part[4] = q = ""
      for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (q != "") { if (c == q) q = ""; else part[n] = part[n] c }
        else if (c == "\"" || c == apostrophe) q = c
        else if (c == ".") part[++n] = ""
        else if (c == "]" || c == "=") return
        else if (c !~ /[ \t]/) part[n] = part[n] c
      }
    }
    # Whether the table or key in part[] goes.
    function unwanted(   base) {
      base = part[1] == "target" ? 3 : 1
      if (part[base] ~ /^dev[-_]dependencies$/) return 1
      if (part[base] ~ /^((build[-_])?dependencies)$/) return index(drop, " " part[base + 1] " ") && part[base + 1] != ""
      if (base == 3) return 0
      return part[1] ~ /^(bench|test|example|workspace)$/ || part[1] == "features" && step != "describe" \
        || part[1] == "package" && part[2] == "workspace"
    }
    # Which profiles the manifest knows.
    function note_profile() { if (step == "describe" && part[1] == "profile") print part[2] >"/output/profiles.txt" }
    depth == 0 && quote == "" && /^[ \t]*\[/ {
      header = $0
      sub(/^[ \t]*\[\[?/, "", header)
      split_key(header)
      gone = unwanted()
      note_profile()
      count = n
      for (i = 1; i <= n; i++) table[i] = part[i]
      if (!gone) print
      next
    }
    depth == 0 && quote == "" && /=/ && !/^[ \t]*#/ {
      split_key($0)
      for (i = n; i > 0; i--) part[i + count] = part[i]
      for (i = 1; i <= count; i++) part[i] = table[i]
      n += count
      key_gone = unwanted()
      note_profile()
    }
    { if (!gone && !key_gone) print; scan($0) }
    END {
      print "\n[workspace]"
      if (step == "describe") exit
      print "\n[features]"
      many = split(features, list, " ")
      for (i = 1; i <= many; i++) {
        cut = index(list[i], "=")
        values = substr(list[i], cut + 1)
        gsub(/,/, "\", \"", values)
        print "\"" substr(list[i], 1, cut - 1) "\" = [" (values == "" ? "" : "\"" values "\"") "]"
      }
    }
  ' /input/package/Cargo.toml
}

[ -f /input/package/Cargo.toml ] || fail 65 "the package has no Cargo.toml"
mkdir -p /build/src "$HOME" "$CARGO_HOME"
cp -R /input/package/. /build/src
[ "${SYNC_STEP:-build}" != describe ] || : >/output/profiles.txt
chmod -R u+w /build/src
cd /build/src
rm -rf Cargo.lock .cargo rust-toolchain rust-toolchain.toml
prepare_manifest >/build/Cargo.toml
mv /build/Cargo.toml Cargo.toml

registry=/registry
[ -d "$registry" ] || { registry=/build/registry; mkdir "$registry"; }
kind=directory
[ ! -d "$registry/index" ] || kind=local-registry
cat >"$CARGO_HOME/config.toml" <<EOF
[source.crates-io]
replace-with = "pinned"
[source.pinned]
$kind = "$registry"
[net]
offline = true
EOF

if [ "${SYNC_STEP:-build}" = describe ]; then
  rustc -vV >/output/rustc.txt
  for core in "$(rustc --print sysroot)"/lib/rustlib/*/lib/libcore-*.rlib; do
    core=${core%/lib/*}
    echo "${core##*/}"
  done >/output/targets.txt
  cargo metadata --no-deps --offline --format-version 1 >/output/manifest.json || fail 65 "cargo refuses the manifest"
  exit 0
fi

cargo generate-lockfile --offline --quiet || fail 65 "cargo finds no set of the given crates that fits"
if [ "${SYNC_STEP:-build}" = lock ]; then
  cp Cargo.lock /output/Cargo.lock
  exit 0
fi

got=$(sha256sum Cargo.lock)
[ "${got%% *}" = "$SYNC_LOCK_SHA256" ] \
  || fail 66 "the crates lead to the lock ${got%% *}, the spec pins $SYNC_LOCK_SHA256"

# A shell without pipefail tells the status through a file.
# The options are words without spaces.
# shellcheck disable=SC2086
{ cargo build ${SYNC_OPTIONS:---release} --locked --offline --features "${SYNC_ENABLE:-}" 2>&1 || echo failed >/build/failed; } |
  tee /build/cargo.log
if [ -f /build/failed ]; then
  ! grep -qiE 'could not resolve host|failure in name resolution|network is unreachable' /build/cargo.log \
    || fail 68 "the build wants the network, which no sandbox has"
  exit 101
fi
built=target/${SYNC_DIRECTORY:-release}
for artifact in $SYNC_ARTIFACTS; do
  [ -f "$built/$artifact" ] || fail 67 "cargo built no $artifact"
  cp "$built/$artifact" "/output/$artifact"
done
