//go:build syncverify_libsync

package synchronicity

// libsync carries the verifier too: for programs that use package node as well.

// #cgo LDFLAGS: -lsync
import "C"
