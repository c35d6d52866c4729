package synchronicity

// #include <sync/verify.h>
import "C"

import (
	"fmt"
	"time"
	"unsafe"
)

// Verdict is what the builders' reveals add up to.
type Verdict int32

// The verdicts. Only proofs that do not verify show another than VerdictReproduced.
const (
	// VerdictReproduced: as many builders as the log's group asks for revealed the same artifacts.
	VerdictReproduced Verdict = C.SYNC_VERDICT_REPRODUCED
	// VerdictDiverged: builders revealed different outcomes, and none has enough builders behind it.
	VerdictDiverged Verdict = C.SYNC_VERDICT_DIVERGED
	// VerdictFailed: as many builders as the group asks for revealed the same failure.
	VerdictFailed Verdict = C.SYNC_VERDICT_FAILED
	// VerdictInconclusive: too few builders revealed anything.
	VerdictInconclusive Verdict = C.SYNC_VERDICT_INCONCLUSIVE
)

// String returns the verdict's word, such as "reproduced".
func (v Verdict) String() string {
	switch v {
	case VerdictReproduced:
		return "reproduced"
	case VerdictDiverged:
		return "diverged"
	case VerdictFailed:
		return "failed"
	case VerdictInconclusive:
		return "inconclusive"
	}
	return fmt.Sprintf("verdict %d", int32(v))
}

// Verification is what a proof that holds has shown. The package that it is about is in Proof.Package.
type Verification struct {
	Verdict          Verdict // VerdictReproduced: nothing else verifies
	Cosigners        int     // witnesses of the policy whose cosignatures on the checkpoint count
	Reproducers      int     // builders of the policy that signed for this very artifact
	Builders         int     // members that the evidence accounts for, present or absent
	LeafIndex        uint64  // zero-based number of the evidence in the log
	TreeSize         uint64  // leaves in the log at the checkpoint; more than LeafIndex
	Height           uint64  // height of the decided block that gave the verdict
	TimeMilliseconds uint64  // that block's decided time, since 1970-01-01 UTC

	reproducerBits [16]byte
	cosignerBits   [16]byte
}

// Time returns the decided time in UTC.
func (v *Verification) Time() time.Time {
	return time.UnixMilli(int64(v.TimeMilliseconds)).UTC()
}

// IsReproducer reports whether builder i of Proof.Builders is one of the reproducers.
func (v *Verification) IsReproducer(i int) bool {
	return isSet(&v.reproducerBits, i)
}

// IsCosigner reports whether signature i of Proof.Signatures is one of the cosigners'.
func (v *Verification) IsCosigner(i int) bool {
	return isSet(&v.cosignerBits, i)
}

func isSet(bits *[16]byte, i int) bool {
	return i >= 0 && i < 8*len(bits) && bits[i/8]>>(i%8)&1 == 1
}

func newVerification(raw *C.sync_verification) *Verification {
	shown := &Verification{
		Verdict:          Verdict(raw.verdict),
		Cosigners:        int(raw.cosigners),
		Reproducers:      int(raw.reproducers),
		Builders:         int(raw.builders),
		LeafIndex:        uint64(raw.leaf_index),
		TreeSize:         uint64(raw.tree_size),
		Height:           uint64(raw.height),
		TimeMilliseconds: uint64(raw.time_milliseconds),
	}
	for i := range shown.reproducerBits {
		shown.reproducerBits[i] = byte(raw.reproducer_bits[i])
		shown.cosignerBits[i] = byte(raw.cosigner_bits[i])
	}
	return shown
}

func rawVerification() C.sync_verification {
	return C.sync_verification{struct_size: C.sizeof_sync_verification, abi_version: C.SYNC_ABI_VERSION}
}

// start gives C the address of bytes, which holds no Go pointers; NULL where there are none.
func start(bytes []byte) *C.uint8_t {
	if len(bytes) == 0 {
		return nil
	}
	return (*C.uint8_t)(unsafe.Pointer(&bytes[0]))
}

// Verify checks one proof against one policy. Who checks many parses the policy once and calls its Verify.
func Verify(policy, proof []byte, artifact Digest) (*Verification, error) {
	raw := rawVerification()
	var rawError *C.sync_error
	status := C.sync_verify(start(policy), C.size_t(len(policy)), start(proof), C.size_t(len(proof)),
		start(artifact[:]), 0, &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return nil, err
	}
	return newVerification(&raw), nil
}

// LibraryVersion returns the version of the library below, such as "0.1.0".
func LibraryVersion() string {
	return C.GoString(C.sync_get_version())
}
