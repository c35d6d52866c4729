//go:build !syncverify_shared

package synchronicity

// By its file name, since -lsyncverify prefers the shared library where both are.

// #cgo LDFLAGS: -l:libsyncverify.a
import "C"
