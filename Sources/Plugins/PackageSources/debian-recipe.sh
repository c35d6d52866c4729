#!/bin/sh
# Builds the binary packages of one Debian source package, offline, always under the same path.
#
# In:  /input/package    the .dsc and the files that it names
#      SYNC_STEP         describe | build (the default); the first serves whoever writes the spec
#      SYNC_ARTIFACTS    file names of the binary packages
# Out: /output
# A failure's name goes to /output/failure; docs/RECIPES.md has the names. Anything else from dpkg-buildpackage: the
# build failed.
#
# The time in the packages is that of the newest entry in debian/changelog, as in Debian's own builds. The package's
# own tests do not run, and packages of debugging symbols are not made.
set -eu
umask 022

# fail NAME SENTENCE: names the failure for the evidence. What was built may have written there too.
fail() {
  echo "recipe: $1: $2" >&2
  rm -rf /output/failure
  echo "$1" >/output/failure
  exit 65
}

# The sandbox knows one user; what fakeroot pretends, the kernel need not be asked for.
export FAKEROOTDONTTRYCHOWN=1
mkdir -p /build/package "$HOME"
cd /build/package
# Without a keyring a signature cannot be checked here; the files are checked against the .dsc, and that is pinned.
dpkg-source --extract /input/package/*.dsc source || fail archive-refused "dpkg-source refuses the source package"
cd source

# What is not one of the packages that this build depends on could not be told from one that is.
missing=$(dpkg-checkbuilddeps 2>&1) ||
  fail missing-dependency "the toolchain lacks what the build wants: ${missing##*: }"

if [ "${SYNC_STEP:-build}" = describe ]; then
  perl -MDpkg::Control::Info -MDpkg::Changelog::Parse=changelog_parse -MDpkg::Arch=get_host_arch,debarch_is_concerned \
    -e '
    my $version = changelog_parse()->{Version};
    $version =~ s/^\d+://;
    for my $package (Dpkg::Control::Info->new("debian/control")->get_packages()) {
      next if ($package->{"Package-Type"} // "deb") ne "deb" or $package->{"Build-Profiles"};
      my $kinds = $package->{Architecture};
      next unless $kinds eq "all" or debarch_is_concerned(get_host_arch(), split " ", $kinds);
      my $kind = $kinds eq "all" ? "all" : get_host_arch();
      print "$package->{Package}_${version}_$kind.deb\n";
    }' >/output/artifacts.txt
  dpkg-architecture --query DEB_HOST_MULTIARCH >/output/target.txt
  exit 0
fi

# A shell without pipefail tells the status through a file.
{ dpkg-buildpackage --no-sign --build=binary --root-command=fakeroot 2>&1 || echo $? >/build/failed; } |
  tee /build/package.log
if [ -f /build/failed ]; then
  ! grep -qiE 'could not resolve host|name resolution|network is unreachable' /build/package.log ||
    fail needs-network "the build wants the network, which no sandbox has"
  rm -rf /output/failure
  exit "$(cat /build/failed)"
fi
# One that is not there is missed by whoever takes them.
for artifact in $SYNC_ARTIFACTS; do
  [ ! -f "/build/package/$artifact" ] || cp "/build/package/$artifact" "/output/$artifact"
done
