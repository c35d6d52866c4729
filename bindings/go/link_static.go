//go:build !syncverify_shared && !syncverify_libsync

package synchronicity

// By its file name, since -lsyncverify prefers the shared library where both are.

// #cgo LDFLAGS: -l:libsyncverify.a
// int a_program_with_both_packages_is_built_with_the_tag_syncverify_libsync;
import "C"
