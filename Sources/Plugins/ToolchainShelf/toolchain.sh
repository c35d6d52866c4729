#!/usr/bin/env bash
# Builds a toolchain: a tar of a Debian root file system whose SHA-256 is the same wherever and whenever it is built
# from the same packages. Prints the tar's path and digest; a second call finds it in the cache.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/toolchain <rust|tiny> [--path | --digest] [--rebuild]

  rust       C and Rust compilers, make, pkg-config: what crates are built with
  tiny       a shell, coreutils and busybox: what the sandbox's tests run

  --path     print the tar's path alone
  --digest   print the tar's SHA-256 alone
  --rebuild  take the packages that the apt sources have now, even if there is a tar already

The cache is ${SYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/synchronicity}/toolchains: <sha256>.tar, <sha256>.manifest
(package versions), and the file `index`, whose lines are: kind, digest of the recipe, digest of the tar.
TEXT
}

kind='' show=both rebuild=no
for argument in "$@"; do
  case $argument in
    rust | tiny) kind=$argument ;;
    --path) show=path ;;
    --digest) show=digest ;;
    --rebuild) rebuild=yes ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
done
[ -n "$kind" ] || { usage >&2; exit 2; }

case $kind in
  rust) variant=essential packages=gcc,libc6-dev,rustc-web,cargo-web,make,pkg-config ;;
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
    echo "scripts/toolchain: $tool is missing; on Debian: apt-get install mmdebstrap util-linux coreutils" >&2
    exit 1
  }
done

cache=${SYNC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/synchronicity}/toolchains
mkdir -p "$cache"
architecture=$(dpkg --print-architecture)
recipe=$(printf '%s\n' 1 "$variant" "$packages" "$slim" "$epoch" "$architecture" | sha256sum | cut -d' ' -f1)

cached() {
  [ -f "$cache/index" ] || return 1
  digest=$(awk -v k="$kind" -v r="$recipe" '$1 == k && $2 == r { d = $3 } END { print d }' "$cache/index")
  [ -n "$digest" ] && [ -f "$cache/$digest.tar" ]
}

print() {
  case $show in
    path) echo "$cache/$digest.tar" ;;
    digest) echo "$digest" ;;
    both) printf '%s\n%s\n' "$cache/$digest.tar" "$digest" ;;
  esac
}

build() {
  local lines
  # The lock is held, so these are of builds that were cut off.
  rm -rf "$cache/.build-$kind-"*
  work=$(mktemp -d "$cache/.build-$kind-XXXXXX")
  trap 'rm -rf "${work:?}"' EXIT
  lines=$(sources)
  [ -n "$lines" ] || {
    echo "scripts/toolchain: apt knows no Debian suite; configure one and run apt-get update" >&2
    exit 1
  }
  local options=(--quiet "--variant=$variant" "--include=$packages" --format=tar --skip=output/dev
    '--aptopt=Acquire::Retries "5"' '--aptopt=APT::Install-Recommends "false"')
  local format='\${Package} \${Version} \${Architecture}\n'
  if [ "$variant" = extract ]; then
    # No package is configured, so apt's downloads are the list of what went in; and this variant runs only the hooks
    # of its first steps.
    options+=("--setup-hook=$merge" "--extract-hook=for deb in \"\$1\"/var/cache/apt/archives/*.deb; do
      dpkg-deb -W --showformat=\"$format\" \"\$deb\"; done | LC_ALL=C sort >'$work/manifest'"
      "--extract-hook=$slim" '--extract-hook=rm -rf "$1/var/lib/dpkg"')
  else
    options+=("--customize-hook=dpkg-query --admindir=\"\$1/var/lib/dpkg\" -W -f \"$format\" |
      LC_ALL=C sort >'$work/manifest'" "--customize-hook=$slim")
  fi
  # The working folder lets the unshared user of mmdebstrap's rootless mode write the manifest.
  [ "$(id -u)" = 0 ] || chmod 0777 "$work"
  SOURCE_DATE_EPOCH=$epoch LC_ALL=C.UTF-8 mmdebstrap "${options[@]}" '' "$work/root.tar" - <<<"$lines" >&2
  [ -s "$work/manifest" ] || { echo "scripts/toolchain: no package manifest was written" >&2; exit 1; }
  digest=$(sha256sum "$work/root.tar" | cut -d' ' -f1)
  mv "$work/manifest" "$cache/$digest.manifest"
  mv "$work/root.tar" "$cache/$digest.tar"
  exec 8>"$cache/.lock-index"
  flock 8
  { [ ! -f "$cache/index" ] || awk -v k="$kind" '$1 != k' "$cache/index"
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
