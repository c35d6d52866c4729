package node

// #include "bridge.h"
// #include <sync/verify.h>
import "C"

import (
	"context"
	"unsafe"
)

// SubmitRequest is a package that is to be rebuilt.
type SubmitRequest struct {
	Package                string   // such as "pkg:cargo/itoa@1.0.1"
	Features               []string // beside the default ones
	WithoutDefaultFeatures bool
	Profile                string // "": release
	Target                 string // "": the toolchain's own host
	Toolchain              string // 64 hexadecimal digits; "": the configuration's
	Rebuild                uint64 // a number that was not used before asks for a fresh rebuild
	Priority               int32  // -100 to 100, in this node's own queue
}

// Submit pins a package's inputs, signs the job and hands it to the group; it returns the job. The same spec is the
// same job. When the context ends first, it may be submitted all the same.
func (n *Node) Submit(ctx context.Context, request *SubmitRequest) (Digest, error) {
	if err := ctx.Err(); err != nil {
		return Digest{}, err
	}
	strings := &texts{}
	raw, err := strings.submitRequest(request)
	if err != nil {
		strings.free()
		return Digest{}, err
	}
	node, err := n.use()
	if err != nil {
		strings.free()
		return Digest{}, err
	}
	type outcome struct {
		job Digest
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		// The call cannot be cut short, and so outlives a context that ends; the node's end ends it too.
		defer n.release()
		defer strings.free()
		var told outcome
		var failure *C.sync_error
		status := C.sync_node_submit(node, raw, C.SYNC_FOREVER, (*C.uint8_t)(&told.job[0]), &failure)
		if told.err = takeError(status, failure); told.err != nil {
			told.job = Digest{}
		}
		done <- told
	}()
	select {
	case told := <-done:
		return told.job, told.err
	case <-ctx.Done():
		return Digest{}, ctx.Err()
	}
}

// submitRequest makes it in C's memory, where it may point to more of that.
func (t *texts) submitRequest(request *SubmitRequest) (*C.sync_submit_request, error) {
	raw := (*C.sync_submit_request)(t.allocate(C.sizeof_sync_submit_request))
	raw.struct_size, raw.abi_version = C.sizeof_sync_submit_request, C.SYNC_ABI_VERSION
	var err error
	if raw._package, err = t.add("the package", request.Package); err != nil {
		return nil, err
	}
	for _, text := range []struct {
		what, text string
		place      **C.char
	}{
		{"the profile", request.Profile, &raw.profile}, {"the target", request.Target, &raw.target},
		{"the toolchain", request.Toolchain, &raw.toolchain},
	} {
		if *text.place, err = t.optional(text.what, text.text); err != nil {
			return nil, err
		}
	}
	if count := len(request.Features); count > 0 {
		raw.features = (**C.char)(t.allocate(C.size_t(count) * C.size_t(unsafe.Sizeof(raw.features))))
		raw.features_count = C.size_t(count)
		places := unsafe.Slice(raw.features, count)
		for i, feature := range request.Features {
			if places[i], err = t.add("a feature", feature); err != nil {
				return nil, err
			}
		}
	}
	raw.rebuild = C.uint64_t(request.Rebuild)
	raw.without_default_features = flag(request.WithoutDefaultFeatures)
	raw.priority = C.int32_t(request.Priority)
	return raw, nil
}

// Phase is how far a job has come; a later one is greater.
type Phase int32

const (
	PhaseUnknown  Phase = C.SYNC_PHASE_UNKNOWN
	PhaseCommit   Phase = C.SYNC_PHASE_COMMIT   // ordered: builders rebuild and commit
	PhaseReveal   Phase = C.SYNC_PHASE_REVEAL   // builders open their commitments
	PhaseLogged   Phase = C.SYNC_PHASE_LOGGED   // the verdict stands, and its evidence is in the log
	PhaseCosigned Phase = C.SYNC_PHASE_COSIGNED // a quorum has cosigned the log with it: the proof can be had
)

// String returns the phase's word, such as "cosigned".
func (p Phase) String() string {
	words := [...]string{"unknown", "commit", "reveal", "logged", "cosigned"}
	if p < 0 || int(p) >= len(words) {
		return words[0]
	}
	return words[p]
}

// Verdict is what the builders' outcomes give together.
type Verdict int32

const (
	VerdictNone         Verdict = C.SYNC_VERDICT_NONE
	VerdictReproduced   Verdict = C.SYNC_VERDICT_REPRODUCED
	VerdictDiverged     Verdict = C.SYNC_VERDICT_DIVERGED
	VerdictFailed       Verdict = C.SYNC_VERDICT_FAILED
	VerdictInconclusive Verdict = C.SYNC_VERDICT_INCONCLUSIVE
)

// String returns the verdict's word, such as "reproduced".
func (v Verdict) String() string {
	words := [...]string{"none", "reproduced", "diverged", "failed", "inconclusive"}
	if v < 0 || int(v) >= len(words) {
		return "unknown"
	}
	return words[v]
}

// JobStatus is how far a job has come.
type JobStatus struct {
	Phase     Phase
	Verdict   Verdict
	Agreeing  int    // builders that agree on the outcome that gave the verdict
	Committed int    // builders that have committed to an outcome
	LeafIndex uint64 // the evidence's, from PhaseLogged on
}

func newRawJobStatus() C.sync_job_status {
	return C.sync_job_status{struct_size: C.sizeof_sync_job_status, abi_version: C.SYNC_ABI_VERSION}
}

func jobStatus(raw *C.sync_job_status) JobStatus {
	return JobStatus{
		Phase:     Phase(raw.phase),
		Verdict:   Verdict(raw.verdict),
		Agreeing:  int(raw.agreeing),
		Committed: int(raw.committed),
		LeafIndex: uint64(raw.leaf_index),
	}
}

// Job returns how far the job has come; of one that the node does not know, PhaseUnknown.
func (n *Node) Job(job Digest) (JobStatus, error) {
	raw, err := n.use()
	if err != nil {
		return JobStatus{}, err
	}
	defer n.release()
	found := newRawJobStatus()
	var failure *C.sync_error
	status := C.sync_node_get_job(raw, (*C.uint8_t)(&job[0]), &found, &failure)
	return jobStatus(&found), takeError(status, failure)
}

// Wait waits until the job has come as far as phase, or the context ends; it returns how far it has. CodeState when the
// node ends.
func (n *Node) Wait(ctx context.Context, job Digest, phase Phase) (JobStatus, error) {
	found := newRawJobStatus()
	err := n.wait(ctx, func(raw *C.sync_node, timeout C.uint64_t, failure **C.sync_error) C.sync_status {
		return C.sync_node_wait(raw, (*C.uint8_t)(&job[0]), C.int32_t(phase), timeout, &found, failure)
	})
	return jobStatus(&found), err
}

// Proof returns the static proof file of a job that is PhaseCosigned, else CodeNotFound.
func (n *Node) Proof(job Digest) ([]byte, error) {
	raw, err := n.use()
	if err != nil {
		return nil, err
	}
	defer n.release()
	var created *C.sync_bytes
	var failure *C.sync_error
	status := C.sync_node_copy_proof(raw, (*C.uint8_t)(&job[0]), &created, &failure)
	if err := takeError(status, failure); err != nil {
		return nil, err
	}
	return takeBytes(created), nil
}

// Artifact returns the path of a local file that holds the artifact, else CodeNotFound.
func (n *Node) Artifact(sha256 Digest) (string, error) {
	raw, err := n.use()
	if err != nil {
		return "", err
	}
	defer n.release()
	var created *C.sync_bytes
	var failure *C.sync_error
	status := C.sync_node_copy_artifact_path(raw, (*C.uint8_t)(&sha256[0]), &created, &failure)
	if err := takeError(status, failure); err != nil {
		return "", err
	}
	return string(takeBytes(created)), nil
}
