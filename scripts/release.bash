#!/usr/bin/env bash
# Sourced, in the checkout's folder, by what compiles a release: one set of flags, so that nothing is compiled twice,
# and the link that puts Swift's runtime inside. `swift build --static-swift-stdlib` would compile all of it once more,
# since it passes another flag for the same objects: docs/decisions/0047-the-release-is-what-the-tests-run.md.

# What `swift build` is called with. What is handed out holds no debug information, so none is made.
release=(--configuration release --disable-index-store -debug-info-format none --scratch-path .build)
# Tests see what is internal, in the objects that are handed out, and their own modules are indexed there, where SwiftPM
# looks for them: see Package.swift.
export SYNC_TESTABLE=$PWD/.build/$(uname -m)-unknown-linux-gnu/release/index/store

# swiftpm ARGUMENT…: `swift` in an environment that is the same wherever it is called. For one that it has not seen,
# SwiftPM compiles each package's manifest once more, which takes half a minute of the processor.
swiftpm() {
  local name others=()
  for name in "${!SYNC_@}"; do
    case $name in SYNC_TESTABLE | SYNC_REMOTE_EXECUTION) ;; *) others+=(-u "$name") ;; esac
  done
  env ${others[@]+"${others[@]}"} swift "$@"
}
export -f swiftpm

# The libraries of the system that the package needs, as arguments of a linker, one a line.
system_libraries() {
  pkg-config --libs libsodium libcrypto zlib sqlite3 | xargs -n 1
  echo -lstdc++
}

# link_static LIST OUT FLAG…: links the objects of a product's Objects.LinkFileList with Swift's runtime and the
# libraries of the system. What is unused goes.
link_static() {
  local list=$1 out=$2 libraries
  shift 2
  mapfile -t libraries < <(system_libraries)
  # The objects do not name what the static Foundation is made of.
  swiftc -static-stdlib "$@" -o "$out" -Xlinker --gc-sections -Xlinker -z -Xlinker defs "@$list" "${libraries[@]}" \
    -lCoreFoundation -l_FoundationICU -l_FoundationCShims -l_FoundationCollections
}

# link_program PRODUCT MODULE OUT: a program of a build with the flags above. It exports nothing: plugins find what they
# call in tables that they are given.
link_program() {
  local built
  built=$(swiftpm build "${release[@]}" --show-bin-path)
  link_static "$built/$1.product/Objects.LinkFileList" "$3" -emit-executable -Xlinker --no-export-dynamic \
    -Xlinker --defsym -Xlinker "main=$2_main"
}
