package synchronicity

// #include <sync/verify.h>
import "C"

import (
	"runtime"
	"sync"
)

// PolicyBytesMax is the size of the largest policy.
const PolicyBytesMax = C.SYNC_POLICY_BYTES_MAX

// Policy is a parsed trust policy: which logs, cosigners and builders count, and how many of them.
type Policy struct {
	// Shared by copies, so that the finalizer waits for the last of them; nil unless ParsePolicy made it.
	inner *policyInner
}

type policyInner struct {
	// Held for reading by every use of raw and for writing by close.
	lock sync.RWMutex
	raw  *C.sync_policy
}

func (inner *policyInner) close() {
	inner.lock.Lock()
	defer inner.lock.Unlock()
	C.sync_policy_destroy(inner.raw)
	inner.raw = nil
	runtime.SetFinalizer(inner, nil)
}

// ParsePolicy parses a policy file's bytes.
func ParsePolicy(policy []byte) (*Policy, error) {
	var raw *C.sync_policy
	var rawError *C.sync_error
	status := C.sync_policy_create(start(policy), C.size_t(len(policy)), 0, &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return nil, err
	}
	return newPolicy(raw), nil
}

// newPolicy takes over what the library has created.
func newPolicy(raw *C.sync_policy) *Policy {
	inner := &policyInner{raw: raw}
	runtime.SetFinalizer(inner, (*policyInner).close)
	return &Policy{inner}
}

// Follow goes on by a hand-over: a proof file's bytes, by which the builders of the policy hand over to those of the
// next epoch. It gives another policy, by which proofs of either epoch hold; p stays as it is, and neither needs the
// other.
//
// The epoch is the one that p is of, which the hand-over must end, else the error is CodeWrongEpoch: 0 for a group's
// first policy, and one more behind each hand-over. Take it from where the policy came from and never from the
// hand-over: most builders stay from epoch to epoch, so that an earlier epoch's hand-over, which leads back to members
// who have left, may hold as well.
func (p *Policy) Follow(epoch uint64, handover []byte) (*Policy, error) {
	inner := p.inner
	if inner == nil {
		return nil, ErrClosed
	}
	inner.lock.RLock()
	defer inner.lock.RUnlock()
	if inner.raw == nil {
		return nil, ErrClosed
	}
	var raw *C.sync_policy
	var rawError *C.sync_error
	status := C.sync_policy_follow(inner.raw, C.uint64_t(epoch), start(handover), C.size_t(len(handover)), 0, &raw,
		&rawError)
	if err := takeError(status, rawError); err != nil {
		return nil, err
	}
	return newPolicy(raw), nil
}

// Verify checks a proof file's bytes against the policy and an artifact. The error is nil only if the proof holds. It
// is about the package that it names, which ParseProof shows.
func (p *Policy) Verify(proof []byte, artifact Digest) (*Verification, error) {
	inner := p.inner
	if inner == nil {
		return nil, ErrClosed
	}
	inner.lock.RLock()
	// The deferred call also keeps the finalizer away until the library has returned.
	defer inner.lock.RUnlock()
	if inner.raw == nil {
		return nil, ErrClosed
	}
	raw := rawVerification()
	var rawError *C.sync_error
	status := C.sync_policy_verify(inner.raw, start(proof), C.size_t(len(proof)), start(artifact[:]), 0, &raw,
		&rawError)
	if err := takeError(status, rawError); err != nil {
		return nil, err
	}
	return newVerification(&raw), nil
}

// Close frees the policy, after the calls that are using it. The garbage collector does so too, in its own time. It
// returns nil.
func (p *Policy) Close() error {
	if p.inner != nil {
		p.inner.close()
	}
	return nil
}
