package synchronicity

// #include <sync/verify.h>
import "C"

import (
	"runtime"
	"unsafe"
)

// Hasher is SHA-256 of bytes that come in pieces: an io.Writer that io.Copy can fill. One goroutine may use it at a
// time; make it with NewHasher.
//
// It is no hash.Hash, whose Sum must leave the hasher going. crypto/sha256 is one and gives the same digests; this one
// uses the processor's instructions whichever Go compiles it.
type Hasher struct {
	// Shared by copies, so that the finalizer waits for the last of them.
	inner *hasherInner
}

type hasherInner struct {
	raw *C.sync_hasher
}

// handle gives NULL, which the library refuses, for a Hasher that NewHasher did not make.
func (h *hasherInner) handle() *C.sync_hasher {
	if h == nil {
		return nil
	}
	return h.raw
}

// NewHasher returns a hasher that has seen nothing.
func NewHasher() *Hasher {
	var raw *C.sync_hasher
	var rawError *C.sync_error
	if err := takeError(C.sync_hasher_create(0, &raw, &rawError), rawError); err != nil {
		// Flags are what it could refuse, and none are given.
		panic(err)
	}
	inner := &hasherInner{raw}
	runtime.SetFinalizer(inner, func(unused *hasherInner) { C.sync_hasher_destroy(unused.raw) })
	return &Hasher{inner}
}

// Write takes the next piece. It never fails.
func (h *Hasher) Write(piece []byte) (int, error) {
	inner := h.inner
	var rawError *C.sync_error
	status := C.sync_hasher_update(inner.handle(), unsafe.Pointer(start(piece)), C.size_t(len(piece)), &rawError)
	runtime.KeepAlive(inner)
	if err := takeError(status, rawError); err != nil {
		return 0, err
	}
	return len(piece), nil
}

// Digest returns the digest of all pieces. The hasher is then as new.
func (h *Hasher) Digest() Digest {
	inner := h.inner
	var digest Digest
	var rawError *C.sync_error
	status := C.sync_hasher_finish(inner.handle(), start(digest[:]), &rawError)
	runtime.KeepAlive(inner)
	if err := takeError(status, rawError); err != nil {
		// It refuses NULL alone.
		panic(err)
	}
	return digest
}
