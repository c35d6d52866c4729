#!/bin/sh
# Builds the binary packages of one Debian source package, offline, always under the same path.
#
# In:  /input/package    the .dsc and the files that it names
#      SYNC_STEP         describe | build (the default); the first serves whoever writes the spec
#      SYNC_ARTIFACTS    file names of the binary packages
# Out: /output
# Exit: 65 the source package cannot be unpacked, 67 a package is missing, 69 the toolchain lacks build dependencies;
#       anything else from dpkg-buildpackage: the build failed.
#
# The time in the packages is that of the newest entry in debian/changelog, as in Debian's own builds. The package's
# own tests do not run, and packages of debugging symbols are not made.
set -eu
umask 022

fail() {
  status=$1
  shift
  echo "recipe: $*" >&2
  exit "$status"
}

# The sandbox knows one user; what fakeroot pretends, the kernel need not be asked for.
export FAKEROOTDONTTRYCHOWN=1
mkdir -p /build/package "$HOME"
cd /build/package
# Without a keyring a signature cannot be checked here; the files are checked against the .dsc, and that is pinned.
dpkg-source --extract /input/package/*.dsc source || fail 65 "dpkg-source refuses the source package"
cd source

# What is not one of the packages that this build depends on could not be told from one that is.
missing=$(dpkg-checkbuilddeps 2>&1) || fail 69 "the toolchain lacks what the build wants: ${missing##*: }"

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

dpkg-buildpackage --no-sign --build=binary --root-command=fakeroot
for artifact in $SYNC_ARTIFACTS; do
  [ -f "/build/package/$artifact" ] || fail 67 "dpkg-buildpackage built no $artifact"
  cp "/build/package/$artifact" "/output/$artifact"
done
