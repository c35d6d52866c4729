//go:build syncverify_shared && !syncverify_libsync

package synchronicity

// #cgo LDFLAGS: -lsyncverify
// int a_program_with_both_packages_is_built_with_the_tag_syncverify_libsync;
import "C"
