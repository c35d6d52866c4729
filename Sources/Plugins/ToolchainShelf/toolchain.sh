#!/usr/bin/env bash
# Builds a toolchain: a tar of a Debian root file system whose SHA-256 is the same wherever and whenever it is built
# from the same packages. Prints the tar's path and digest; a second call finds it in the cache.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: toolchain <KIND | --packages LOCK> [--path | --digest | --lock] [--rebuild]

  rust             C and Rust compilers, make, pkg-config: what crates are built with
  rust-1.63        the same with the older Rust of Debian 12
  c-python         C compiler, make, Debian's and Python's packaging tools: what source packages are built with
  diff             diffoscope and binutils: what a builder compares differing artifacts with
  tiny             a shell, coreutils and busybox: what the sandbox's tests run

  --packages LOCK  the toolchain that the lock file names, from exactly its packages, or nothing
  --path           print the tar's path alone
  --digest         print the tar's SHA-256 alone
  --lock           print the path of the tar's lock file alone
  --rebuild        take the packages that the apt sources have now, even if there is a tar already

The cache is ${SYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/synchronicity}/toolchains: <sha256>.tar, <sha256>.lock
(how it was made, and a line `package version architecture` for each package), and the file `index`, whose lines are:
kind, digest of the recipe, digest of the tar.
TEXT
}

die() {
  echo "toolchain: $*" >&2
  exit 1
}

kind='' show=both rebuild=no lock='' wanted=''
while [ $# -gt 0 ]; do
  case $1 in
    rust | rust-1.63 | c-python | diff | tiny) kind=$1 ;;
    --packages) [ $# -gt 1 ] || { usage >&2; exit 2; }; lock=$2; shift ;;
    --path) show=path ;;
    --digest) show=digest ;;
    --lock) show=lock ;;
    --rebuild) rebuild=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
if [ -n "$kind" ] && [ -n "$lock" ] || [ -z "$kind$lock" ]; then usage >&2; exit 2; fi

# A lock file's own words: `# variant: VALUE` and so on, then the packages.
word() { sed -n "s/^# $1: //p" "$lock" | head -1; }
if [ -n "$lock" ]; then
  [ -f "$lock" ] || die "there is no file $lock"
  [ "$(head -1 "$lock")" = '# synchronicity toolchain, version 1' ] || die "$lock is no lock file of a toolchain"
  kind=locked variant=$(word variant) packages=$(word include) wanted=$(word digest)
  grep -Eqx 'essential|extract' <<<"$variant" || die "$lock: the variant is '$variant', not essential or extract"
  grep -Eqx '[a-z0-9][a-z0-9.+-]*(,[a-z0-9][a-z0-9.+-]*)*' <<<"$packages" || die "$lock: include names no packages"
  grep -Eqx '[0-9a-f]{64}' <<<"$wanted" || die "$lock: the digest is no SHA-256"
  bad=$(grep -v '^#' "$lock" | grep -Evx '[a-z0-9][a-z0-9.+-]+ [A-Za-z0-9.+:~-]+ [a-z0-9-]+' | head -1) || true
  [ -z "$bad" ] || die "$lock: '$bad' is not: package version architecture"
fi

case $kind in
  rust) variant=essential packages=gcc,libc6-dev,rustc-web,cargo-web,make,pkg-config ;;
  rust-1.63) variant=essential packages=gcc,libc6-dev,rustc,cargo,make,pkg-config ;;
  c-python)
    variant=essential packages=build-essential,debhelper,fakeroot
    packages+=,python3-dev,python3-pip,python3-setuptools,python3-wheel
    ;;
  diff) variant=essential packages=binutils,diffoscope-minimal,unzip,xxd,xz-utils,zip ;;
  tiny) variant=extract packages=bash,busybox-static,coreutils,dash,libc6 ;;
esac

# Debian's own suites among the machine's sources; anything else that is configured stays out.
sources() {
  apt-get indextargets --format '$(ORIGIN)|$(CREATED_BY)|$(ARCHITECTURE)|deb $(SITE) $(RELEASE) $(COMPONENT)' |
    awk -F'|' -v arch="$architecture" \
      '$1 == "Debian" && $2 == "Packages" && $3 == arch && !seen[$4]++ { print $4 }'
}

# Away goes what no build reads (documentation, translations, a package manager's state) and what the building host
# leaves behind (its name, its name servers, its mirror). In comes the user that every sandbox runs as.
slim='cd "$1" && rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bash-completion \
  usr/share/zsh usr/share/i18n/locales var/lib/apt var/cache/apt var/cache/debconf var/log/* \
  var/lib/dpkg/info/*.md5sums \
  etc/hostname etc/resolv.conf etc/machine-id && : >etc/apt/sources.list \
  && find usr/share/doc -not -type d -not -name copyright -delete && find usr/share/doc -type d -empty -delete \
  && echo "builder:x:1000:1000::/build:/bin/sh" >>etc/passwd && echo "builder:x:1000:" >>etc/group \
  && chmod 0644 etc/passwd etc/group'
# Debian 12 keeps /bin, /sbin and /lib as links into /usr; the variant that runs no package scripts needs them made.
merge='for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d"; done'
epoch=1700000000

for tool in mmdebstrap apt-get dpkg flock sha256sum; do
  command -v "$tool" >/dev/null || {
    die "$tool is missing; on Debian: apt-get install mmdebstrap util-linux coreutils"
  }
done

cache=${SYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/synchronicity}/toolchains
mkdir -p "$cache"
architecture=$(dpkg --print-architecture)
recipe=$(printf '%s\n' 1 "$variant" "$packages" "$slim" "$epoch" "$architecture" \
  ${lock:+"$(grep -v '^#' "$lock")"} | sha256sum | cut -d' ' -f1)

write_lock() { # MANIFEST
  {
    printf '# synchronicity toolchain, version 1\n# variant: %s\n# include: %s\n# digest: %s\n' \
      "$variant" "$packages" "$digest"
    cat "$1"
  } >"$cache/.lock-of-$digest.$$"
  mv "$cache/.lock-of-$digest.$$" "$cache/$digest.lock"
}

cached() {
  [ -f "$cache/index" ] || return 1
  digest=$(awk -v k="$kind" -v r="$recipe" '$1 == k && $2 == r { d = $3 } END { print d }' "$cache/index")
  # Versions before this one kept no lock file.
  [ -n "$digest" ] && [ -f "$cache/$digest.tar" ] && { [ "$show" != lock ] || [ -f "$cache/$digest.lock" ]; }
}

print() {
  case $show in
    path) echo "$cache/$digest.tar" ;;
    digest) echo "$digest" ;;
    lock) echo "$cache/$digest.lock" ;;
    both) printf '%s\n%s\n' "$cache/$digest.tar" "$digest" ;;
  esac
}

# Says which package of the lock file the apt sources no longer have, before packages are downloaded. By lists that are
# fetched for it: mmdebstrap fetches its own, too, and the machine's may be of another day.
check_offer() { # SOURCES
  local apt=("-oDir::Etc::SourceList=$work/sources.list" -oDir::Etc::SourceParts=/dev/null -oAPT::Sandbox::User=
    "-oDir::State::lists=$work/lists" "-oDir::Cache=$work/apt" -oAcquire::Languages=none -oAcquire::Retries=5)
  mkdir -p "$work/lists/partial" "$work/apt/archives/partial"
  printf '%s\n' "$1" >"$work/sources.list"
  apt-get -qq "${apt[@]}" -oAPT::Update::Error-Mode=any update >&2 || die "the apt sources' lists cannot be fetched"
  grep -v '^#' "$lock" | cut -d' ' -f1 | xargs apt-cache "${apt[@]}" madison |
    awk -F' *[|] *' '{ gsub(/^ +| +$/, "", $1); print $1, $2 }' >"$work/offer"
  local package version rest
  while read -r package version rest; do
    grep -Fqx "$package $version" "$work/offer" || die "$package $version is gone: the apt sources have" \
      "$(awk -v p="$package" '$1 == p { print $2 }' "$work/offer" | sort -u | paste -sd' ' | grep . || echo none)"
  done < <(grep -v '^#' "$lock")
}

build() {
  local lines
  # The lock is held, so these are of builds that were cut off.
  rm -rf "$cache/.build-$kind-"*
  work=$(mktemp -d "$cache/.build-$kind-XXXXXX")
  trap 'rm -rf "${work:?}"' EXIT
  lines=$(sources)
  [ -n "$lines" ] || die "apt knows no Debian suite; configure one and run apt-get update"
  local options=(--quiet "--variant=$variant" "--include=$packages" --format=tar --skip=output/dev
    '--aptopt=Acquire::Retries "5"' '--aptopt=APT::Install-Recommends "false"')
  local format='\${Package} \${Version} \${Architecture}\n'
  if [ -n "$lock" ]; then
    check_offer "$lines"
    grep -v '^#' "$lock" |
      awk '{ printf "Package: %s\nPin: version %s\nPin-Priority: 1001\n\n", $1, $2 }' >"$work/pins"
    options+=("--setup-hook=mkdir -p \"\$1/etc/apt/preferences.d\" &&
      cp '$work/pins' \"\$1/etc/apt/preferences.d/pins\"")
    # The last hook of each variant that runs before what follows below.
    local last=customize
    [ "$variant" = essential ] || last=extract
    options+=("--$last-hook=rm \"\$1/etc/apt/preferences.d/pins\"")
  fi
  if [ "$variant" = extract ]; then
    # No package is configured, so what was extracted is the list of what went in, in that order: of a folder that
    # two packages bring, the last one's time stays. This variant runs only the hooks of its first steps.
    options+=("--setup-hook=$merge" "--extract-hook=for deb in \$MMDEBSTRAP_ESSENTIAL; do
      dpkg-deb -W --showformat=\"$format\" \"\$1\$deb\"; done >'$work/manifest'"
      "--extract-hook=$slim" '--extract-hook=rm -rf "$1/var/lib/dpkg"')
  else
    options+=("--customize-hook=dpkg-query --admindir=\"\$1/var/lib/dpkg\" -W -f \"$format\" |
      LC_ALL=C sort >'$work/manifest'" "--customize-hook=$slim")
  fi
  # The working folder lets the unshared user of mmdebstrap's rootless mode write the manifest.
  [ "$(id -u)" = 0 ] || chmod 0777 "$work"
  SOURCE_DATE_EPOCH=$epoch LC_ALL=C.UTF-8 mmdebstrap "${options[@]}" '' "$work/root.tar" - <<<"$lines" >&2
  [ -s "$work/manifest" ] || die "no package manifest was written"
  digest=$(sha256sum "$work/root.tar" | cut -d' ' -f1)
  if [ -n "$lock" ]; then
    local other
    other=$(LC_ALL=C diff <(grep -v '^#' "$lock" | LC_ALL=C sort) <(LC_ALL=C sort "$work/manifest") | grep '^[<>]' | head -1) || true
    [ -z "$other" ] || die "other packages went in than $lock names ($other): < is the lock's, > was put in"
    [ "$digest" = "$wanted" ] || die "the packages of $lock give $digest here, not $wanted; is mmdebstrap another?"
  fi
  write_lock "$work/manifest"
  mv "$work/root.tar" "$cache/$digest.tar"
  exec 8>"$cache/.lock-index"
  flock 8
  { [ ! -f "$cache/index" ] || awk -v k="$kind" -v r="$recipe" '$1 != k || k == "locked" && $2 != r' "$cache/index"
    echo "$kind $recipe $digest"; } >"$work/index"
  mv "$work/index" "$cache/index"
  flock -u 8
  rm -rf "$work"
  trap - EXIT
}

if [ "$rebuild" = yes ] || ! cached; then
  # One builder at a time; who waited finds what the other has built.
  exec 9>"$cache/.lock-$kind"
  flock 9
  if [ "$rebuild" = yes ] || ! cached; then
    build
  fi
fi
print
