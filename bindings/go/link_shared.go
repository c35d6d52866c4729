//go:build syncverify_shared

package synchronicity

// #cgo LDFLAGS: -lsyncverify
import "C"
