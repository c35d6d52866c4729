package synchronicity

// #include <sync/verify.h>
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// ProofBytesMax is the size of the largest proof.
const ProofBytesMax = C.SYNC_PROOF_BYTES_MAX

// Proof is a proof that is taken apart, to be shown. ParseProof believes nothing: what the fields say is the file's
// own word until Verify returns a nil error. Changing a field changes nothing of what Verify checks.
type Proof struct {
	LogOrigin        string  // the log's name, which is its group's
	Package          string  // the package URL, such as pkg:cargo/itoa@1.0.4
	PackageName      string  // itoa: what stands between the type and the version, as it stands there
	PackageVersion   string  // 1.0.4; "" where the URL has none
	Submitter        string  // the member that asked for the rebuild
	JobID            Digest  // digest of the build spec
	SourceSHA256     Digest  // tree digest of the package's own source; zero where there is none
	ToolchainSHA256  Digest  // digest of the toolchain
	LeafIndex        uint64  // as in Verification
	TreeSize         uint64  // as in Verification
	Epoch            uint64  // the group's membership in force
	Height           uint64  // as in Verification
	TimeMilliseconds uint64  // as in Verification
	Verdict          Verdict // what the evidence says that the reveals add up to
	Agreeing         int     // builders behind the first outcome
	Reproducers      int     // how many the group asks for
	OutcomeCount     int     // distinct outcomes that were revealed

	Builders   []Builder   // sorted by name
	Artifacts  []Artifact  // sorted by path; none unless the verdict is VerdictReproduced
	Sources    []Source    // in the spec's order
	Signatures []Signature // in the order of the checkpoint's lines

	// Shared by copies, so that the finalizer waits for the last of them; nil unless ParseProof made it.
	inner *proofInner
}

type proofInner struct {
	// Held for reading by every use of raw and for writing by close.
	lock sync.RWMutex
	raw  *C.sync_proof
}

func (inner *proofInner) close() {
	inner.lock.Lock()
	defer inner.lock.Unlock()
	C.sync_proof_destroy(inner.raw)
	inner.raw = nil
	runtime.SetFinalizer(inner, nil)
}

// BuilderState is how a builder fared.
type BuilderState int32

// The states.
const (
	// BuilderRevealed: it revealed an outcome.
	BuilderRevealed BuilderState = C.SYNC_BUILDER_REVEALED
	// BuilderNoCommitment: it committed to nothing before the deadline.
	BuilderNoCommitment BuilderState = C.SYNC_BUILDER_NO_COMMITMENT
	// BuilderNoReveal: it committed and never opened its commitment.
	BuilderNoReveal BuilderState = C.SYNC_BUILDER_NO_REVEAL
	// BuilderWrongOpening: what it revealed was not what it had committed to.
	BuilderWrongOpening BuilderState = C.SYNC_BUILDER_WRONG_OPENING
	// BuilderSandboxFault: its sandbox failed, by its own word.
	BuilderSandboxFault BuilderState = C.SYNC_BUILDER_SANDBOX_FAULT
)

// String returns the state's words, such as "no reveal".
func (s BuilderState) String() string {
	switch s {
	case BuilderRevealed:
		return "revealed"
	case BuilderNoCommitment:
		return "no commitment"
	case BuilderNoReveal:
		return "no reveal"
	case BuilderWrongOpening:
		return "wrong opening"
	case BuilderSandboxFault:
		return "sandbox fault"
	}
	return fmt.Sprintf("state %d", int32(s))
}

// Builder is what a proof says of one builder. All but Name and State are zero unless it revealed.
type Builder struct {
	Name          string // in the group
	State         BuilderState
	Outcome       int    // which outcome it revealed, 0 being the one with most builders
	OutcomeSHA256 Digest // digest of that outcome
	Sandbox       string // what it says of its sandbox
	Processor     string // of its processor
	Kernel        string // of its kernel
}

// Artifact is one artifact on which the builders agree.
type Artifact struct {
	Path   string // below the build's output folder
	Size   uint64 // bytes
	Mode   uint32 // permission bits, such as 0644
	SHA256 Digest
}

// Source is one source that the build was given.
type Source struct {
	Package       string // its package URL
	Origin        string // where it came from, by the submitter's word
	TreeSHA256    Digest // digest of the tree that was built
	ClaimedSHA256 Digest // the packager's checksum of its archive, if HasClaim
	HasClaim      bool
}

// Signature is one signature line of the checkpoint, whoever made it.
type Signature struct {
	Name        string // the key's name
	KeyID       uint32 // its four bytes read big-endian
	IsTimed     bool   // whether it has the size of a timestamped cosignature
	TimeSeconds uint64 // when it says that it was made, since 1970-01-01 UTC; 0 unless timed
}

// Time returns when the signature says that it was made, in UTC; the zero time unless it is timed.
func (s *Signature) Time() time.Time {
	if !s.IsTimed {
		return time.Time{}
	}
	return time.Unix(int64(s.TimeSeconds), 0).UTC()
}

// Time returns the decided time of the block that gave the verdict, in UTC.
func (p *Proof) Time() time.Time {
	return time.UnixMilli(int64(p.TimeMilliseconds)).UTC()
}

// ParseProof takes a proof file's bytes apart.
func ParseProof(proof []byte) (*Proof, error) {
	var raw *C.sync_proof
	var rawError *C.sync_error
	status := C.sync_proof_create(start(proof), C.size_t(len(proof)), 0, &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return nil, err
	}
	inner := &proofInner{raw: raw}
	runtime.SetFinalizer(inner, (*proofInner).close)
	parsed := &Proof{inner: inner}
	if err := parsed.fill(); err != nil {
		parsed.Close()
		return nil, err
	}
	// fill uses raw alone in its last calls.
	runtime.KeepAlive(inner)
	return parsed, nil
}

// Verify checks the proof against a policy and an artifact, as Policy.Verify does.
func (p *Proof) Verify(policy *Policy, artifact Digest) (*Verification, error) {
	inner, trusted := p.inner, policy.inner
	if inner == nil || trusted == nil {
		return nil, ErrClosed
	}
	inner.lock.RLock()
	defer inner.lock.RUnlock()
	trusted.lock.RLock()
	defer trusted.lock.RUnlock()
	if inner.raw == nil || trusted.raw == nil {
		return nil, ErrClosed
	}
	raw := rawVerification()
	var rawError *C.sync_error
	status := C.sync_proof_verify(inner.raw, trusted.raw, start(artifact[:]), 0, &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return nil, err
	}
	return newVerification(&raw), nil
}

// Close frees what Verify needs, after the calls that are using it; the fields stay. The garbage collector does so
// too, in its own time. It returns nil.
func (p *Proof) Close() error {
	if p.inner != nil {
		p.inner.close()
	}
	return nil
}

// fill copies what the proof says, so that no string of the library's outlives it.
func (p *Proof) fill() error {
	info := C.sync_proof_info{struct_size: C.sizeof_sync_proof_info, abi_version: C.SYNC_ABI_VERSION}
	var rawError *C.sync_error
	if err := takeError(C.sync_proof_get_info(p.inner.raw, &info, &rawError), rawError); err != nil {
		return err
	}
	p.LogOrigin = C.GoString(info.log_origin)
	p.Package = C.GoString(info._package)
	p.PackageName = C.GoString(info.package_name)
	p.PackageVersion = C.GoString(info.package_version)
	p.Submitter = C.GoString(info.submitter)
	p.JobID = digestOf(&info.job_id)
	p.SourceSHA256 = digestOf(&info.source_sha256)
	p.ToolchainSHA256 = digestOf(&info.toolchain_sha256)
	p.LeafIndex = uint64(info.leaf_index)
	p.TreeSize = uint64(info.tree_size)
	p.Epoch = uint64(info.epoch)
	p.Height = uint64(info.height)
	p.TimeMilliseconds = uint64(info.time_milliseconds)
	p.Verdict = Verdict(info.verdict)
	p.Agreeing = int(info.agreeing)
	p.Reproducers = int(info.reproducers)
	p.OutcomeCount = int(info.outcome_count)

	p.Builders = make([]Builder, info.builder_count)
	for i := range p.Builders {
		if err := p.fillBuilder(i); err != nil {
			return err
		}
	}
	p.Artifacts = make([]Artifact, info.artifact_count)
	for i := range p.Artifacts {
		if err := p.fillArtifact(i); err != nil {
			return err
		}
	}
	p.Sources = make([]Source, info.source_count)
	for i := range p.Sources {
		if err := p.fillSource(i); err != nil {
			return err
		}
	}
	p.Signatures = make([]Signature, info.signature_count)
	for i := range p.Signatures {
		if err := p.fillSignature(i); err != nil {
			return err
		}
	}
	return nil
}

func (p *Proof) fillBuilder(i int) error {
	raw := C.sync_builder_info{struct_size: C.sizeof_sync_builder_info, abi_version: C.SYNC_ABI_VERSION}
	var rawError *C.sync_error
	status := C.sync_proof_get_builder(p.inner.raw, C.uint32_t(i), &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return err
	}
	p.Builders[i] = Builder{
		Name:          C.GoString(raw.name),
		State:         BuilderState(raw.state),
		Outcome:       int(raw.outcome),
		OutcomeSHA256: digestOf(&raw.outcome_sha256),
		Sandbox:       C.GoString(raw.sandbox),
		Processor:     C.GoString(raw.processor),
		Kernel:        C.GoString(raw.kernel),
	}
	return nil
}

func (p *Proof) fillArtifact(i int) error {
	raw := C.sync_artifact_info{struct_size: C.sizeof_sync_artifact_info, abi_version: C.SYNC_ABI_VERSION}
	var rawError *C.sync_error
	status := C.sync_proof_get_artifact(p.inner.raw, C.uint32_t(i), &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return err
	}
	p.Artifacts[i] = Artifact{
		Path:   C.GoString(raw.path),
		Size:   uint64(raw.size),
		Mode:   uint32(raw.mode),
		SHA256: digestOf(&raw.sha256),
	}
	return nil
}

func (p *Proof) fillSource(i int) error {
	raw := C.sync_source_info{struct_size: C.sizeof_sync_source_info, abi_version: C.SYNC_ABI_VERSION}
	var rawError *C.sync_error
	status := C.sync_proof_get_source(p.inner.raw, C.uint32_t(i), &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return err
	}
	p.Sources[i] = Source{
		Package:       C.GoString(raw._package),
		Origin:        C.GoString(raw.origin),
		TreeSHA256:    digestOf(&raw.tree_sha256),
		ClaimedSHA256: digestOf(&raw.claimed_sha256),
		HasClaim:      raw.has_claim != 0,
	}
	return nil
}

func (p *Proof) fillSignature(i int) error {
	raw := C.sync_signature_info{struct_size: C.sizeof_sync_signature_info, abi_version: C.SYNC_ABI_VERSION}
	var rawError *C.sync_error
	status := C.sync_proof_get_signature(p.inner.raw, C.uint32_t(i), &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return err
	}
	p.Signatures[i] = Signature{
		Name:        C.GoString(raw.name),
		KeyID:       uint32(raw.key_id),
		IsTimed:     raw.is_timed != 0,
		TimeSeconds: uint64(raw.time_seconds),
	}
	return nil
}

func digestOf(bytes *[DigestSize]C.uint8_t) Digest {
	return *(*Digest)(unsafe.Pointer(bytes))
}
