#!/bin/sh
# Builds one crate from pinned sources, offline, always under the same paths: docs/RECIPES.md, "Crates".
set -eu
umask 022
exec 3>&1

# fail NAME SENTENCE: names the failure for the evidence. What was built may have written there too.
fail() {
  echo "recipe: $1: $2" >&2
  rm -rf /output/failure
  echo "$1" >/output/failure
  exit 65
}

# run NAME ARGUMENT...: cargo, its standard output to descriptor 3. It fails by the first name whose words cargo says,
# else by NAME, or, where that is empty, as cargo does.
run() {
  name=$1
  shift
  # A shell without pipefail tells the status through a file.
  { cargo "$@" 2>&1 >&3 3>&- || echo >/build/failed; } | tee /build/cargo.log
  [ -f /build/failed ] || return 0
  while read -r known words; do
    ! grep -qiE "$words" /build/cargo.log || fail "$known" "as cargo says"
  done <<'END'
yanked ^ *version .* is yanked
dependency-cycle ^error: cyclic package dependency
feature-absent ^(error: )?(the )?package .* does not (have|contain) .*feature|^error: none of .* contains these feature
needs-newer-compiler supported edition values|this version of Cargo|requires rustc [0-9]|^error.E0658
needs-network you are in the offline mode|could not resolve host|failure in name resolution|network is unreachable
missing-dependency ^error: (no matching package|failed to (select a version for the requirement|load manifest for dep))
dependencies-do-not-fit ^error: failed to select a version
manifest-refused ^error: failed to (get|parse manifest)
END
  [ -z "$name" ] || fail "$name" "as cargo says"
  rm -rf /output/failure
  exit 101
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

[ -f /input/package/Cargo.toml ] || fail no-manifest "the package has no Cargo.toml"
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

run manifest-refused metadata --no-deps --offline --format-version 1 3>/build/manifest.json
if [ "${SYNC_STEP:-build}" = describe ]; then
  rustc -vV >/output/rustc.txt
  for core in "$(rustc --print sysroot)"/lib/rustlib/*/lib/libcore-*.rlib; do
    core=${core%/lib/*}
    echo "${core##*/}"
  done >/output/targets.txt
  cp /build/manifest.json /output/manifest.json
  exit 0
fi

run dependencies-do-not-fit generate-lockfile --offline --quiet
if [ "${SYNC_STEP:-build}" = lock ]; then
  cp Cargo.lock /output/Cargo.lock
  exit 0
fi

got=$(sha256sum Cargo.lock)
[ "${got%% *}" = "$SYNC_LOCK_SHA256" ] \
  || fail other-lock "the crates lead to the lock ${got%% *}, the spec pins $SYNC_LOCK_SHA256"

# The options are words without spaces.
# shellcheck disable=SC2086
run '' build ${SYNC_OPTIONS:---release} --locked --offline --features "${SYNC_ENABLE:-}"
built=target/${SYNC_DIRECTORY:-release}
# One that is not there is missed by whoever takes them.
for artifact in $SYNC_ARTIFACTS; do
  [ ! -f "$built/$artifact" ] || cp "$built/$artifact" "/output/$artifact"
done
