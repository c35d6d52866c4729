#!/bin/sh
# Puts a toolchain of the variant `extract` together from pinned Debian packages, offline, to the byte as the script
# behind `synchronicity toolchain build` does it with mmdebstrap.
#
# In:  /input/package/lock                  the toolchain's lock file
#      /registry/NAME-VERSION/package.deb   each package that it names
#      SYNC_ARTIFACTS                       the tar's name
# Out: /output
# A failure's name goes to /output/failure; docs/RECIPES.md has the names.
#
# Owners and modes are those of the packages: fakeroot keeps them where the build may not be root.
set -eu
umask 022

if [ "${FAKEROOTKEY:-}" = '' ]; then
  # The sandbox knows one user; the kernel need not be asked for what is pretended.
  export FAKEROOTDONTTRYCHOWN=1
  exec fakeroot /bin/sh "$0"
fi

# fail NAME SENTENCE: names the failure for the evidence.
fail() {
  echo "recipe: $1: $2" >&2
  rm -rf /output/failure
  echo "$1" >/output/failure
  exit 65
}

grep -qx '# variant: extract' /input/package/lock ||
  fail manifest-refused "only toolchains of the variant extract are made here"
for deb in /registry/*/package.deb; do
  # shellcheck disable=SC2016
  dpkg-deb --show --showformat='${Package} ${Version} ${Architecture}\n' "$deb"
done | LC_ALL=C sort >/build/given
grep -v '^#' /input/package/lock | LC_ALL=C sort | cmp -s - /build/given ||
  fail other-lock "the packages are not the lock file's"

root=/build/root
mkdir "$root"
cd "$root"
# What mmdebstrap makes before any package.
for folder in bin sbin lib lib64; do
  mkdir -p "usr/$folder"
  ln -s "usr/$folder" "$folder"
done
mkdir -p etc/apt/apt.conf.d etc/apt/preferences.d etc/apt/sources.list.d etc/dpkg/dpkg.cfg.d tmp
printf 'Acquire::Retries "5";\nAPT::Install-Recommends "false";\n' >etc/apt/apt.conf.d/99mmdebstrap
echo '# UNCONFIGURED FSTAB FOR BASE SYSTEM' >etc/fstab

# In the order of the lock file, where a directory may be a link that stands already.
grep -v '^#' /input/package/lock | while read -r name version _; do
  deb=/registry/$name-${version#*:}/package.deb
  dpkg-deb --fsys-tarfile "$deb" | tar --directory="$root" --keep-directory-symlink --extract --file=-
done

# Away goes what no build reads; in comes the user that every sandbox runs as.
rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bash-completion usr/share/zsh \
  usr/share/i18n/locales var/lib/apt var/cache/apt var/cache/debconf var/log/* etc/hostname etc/resolv.conf \
  etc/machine-id var/lib/dpkg
: >etc/apt/sources.list
find usr/share/doc -not -type d -not -name copyright -delete
find usr/share/doc -type d -empty -delete
echo "builder:x:1000:1000::/build:/bin/sh" >>etc/passwd
echo "builder:x:1000:" >>etc/group
chmod 0644 etc/passwd etc/group

# And what apt leaves when mmdebstrap has it clean up.
mkdir -p var/lib/apt/lists/partial var/cache/apt
: >var/lib/apt/lists/lock
chmod 0640 var/lib/apt/lists/lock
chmod 0700 var/lib/apt/lists/partial
chown 42:0 var/lib/apt/lists/partial
touch . usr

LC_ALL=C.UTF-8 tar --sort=name --mtime=@1700000000 --clamp-mtime --numeric-owner --one-file-system --format=pax \
  --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' --create --exclude=./dev --xattrs \
  --file="/output/$SYNC_ARTIFACTS" .
got=$(sha256sum "/output/$SYNC_ARTIFACTS")
grep -qx "# digest: ${got%% *}" /input/package/lock ||
  fail other-toolchain "the toolchain is ${got%% *}, the lock file's is another"
