package synchronicity

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"sync"
	"testing"
)

const (
	firstHandover  = "handovers/zero-to-one.tlog-proof"
	secondHandover = "handovers/one-to-two.tlog-proof"
	proofBefore    = "handovers/evidence-0.tlog-proof"
	proofBehind    = "handovers/evidence-1.tlog-proof"
)

func TestHandovers(t *testing.T) {
	refused := 0
	all := handoverRows(t)
	for _, each := range all {
		err := runHandovers(t, each)
		if codeOf(err) != each.status {
			t.Errorf("%s: got %v, want status %d", each.name, err, each.status)
		} else if err != nil {
			refused++
			checkError(t, each.name, err)
		}
	}
	if refused < 200 || len(all)-refused < 60 {
		t.Errorf("%d of %d rows are refused", refused, len(all))
	}
	t.Logf("%d rows, %d of them refused", len(all), refused)
}

func runHandovers(t *testing.T, row handoverRow) error {
	policy, err := ParsePolicy(read(t, row.policy))
	if err != nil {
		return err
	}
	defer func() { policy.Close() }()
	for i, path := range row.handovers {
		next, err := policy.Follow(row.epoch+uint64(i), read(t, path))
		if err != nil {
			if next != nil {
				t.Errorf("%s: a policy and an error", row.name)
			}
			return err
		}
		policy.Close()
		policy = next
	}
	if row.proof == "" {
		return nil
	}
	proofBytes := read(t, row.proof)
	shown, err := policy.Verify(proofBytes, row.artifact)
	proof, errParse := ParseProof(proofBytes)
	if errParse != nil {
		if codeOf(err) != codeOf(errParse) {
			t.Errorf("%s: Policy.Verify says %v, ParseProof %v", row.name, err, errParse)
		}
		return err
	}
	defer proof.Close()
	again, errAgain := proof.Verify(policy, row.artifact)
	if !reflect.DeepEqual(shown, again) || codeOf(err) != codeOf(errAgain) {
		t.Errorf("%s: Policy.Verify says %v %v, Proof.Verify %v %v", row.name, shown, err, again, errAgain)
	}
	return err
}

func behindArtifact(t *testing.T) Digest {
	t.Helper()
	for _, each := range handoverRows(t) {
		if each.proof == proofBehind {
			return each.artifact
		}
	}
	t.Fatal("no row verifies " + proofBehind)
	return Digest{}
}

func follow(t *testing.T, policy *Policy, epoch uint64, path string) *Policy {
	t.Helper()
	next, err := policy.Follow(epoch, read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestHandoversGivePoliciesOfTheirOwn(t *testing.T) {
	artifact := behindArtifact(t)
	policy := fourPolicy(t)
	followed := follow(t, policy, 0, firstHandover)
	further := follow(t, followed, 1, secondHandover)
	// What holds by the first alone is as it was.
	if _, err := policy.Verify(read(t, proofBefore), artifact); err != nil {
		t.Error(err)
	}
	if _, err := policy.Verify(read(t, proofBehind), artifact); !errors.Is(err, ErrNotVerified) {
		t.Error(err)
	}
	// One is closed, the other left to the collector; what was freed too early is given to others.
	policy.Close()
	followed = nil
	for i := 0; i < 5; i++ {
		collect()
		fourPolicy(t)
		for _, path := range []string{proofBefore, proofBehind} {
			if _, err := further.Verify(read(t, path), artifact); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	if _, err := policy.Follow(0, read(t, firstHandover)); err != ErrClosed {
		t.Error(err)
	}
	if _, err := new(Policy).Follow(0, nil); err != ErrClosed {
		t.Error(err)
	}
}

func TestHandoversThatAreRefusedLeaveThePolicy(t *testing.T) {
	policy, first := fourPolicy(t), read(t, firstHandover)
	for i, each := range []struct {
		epoch    uint64
		handover []byte
		code     Code
	}{
		{1, first, CodeWrongEpoch},
		{math.MaxUint64, first, CodeWrongEpoch},
		{0, read(t, secondHandover), CodeWrongEpoch},
		{0, read(t, proofBefore), CodeNotHandover},
		{0, nil, CodeMalformed},
		{0, []byte{}, CodeMalformed},
		{0, first[:len(first)-1], CodeMalformed},
		{0, bytes.Repeat([]byte{'\n'}, ProofBytesMax+1), CodeTooLarge},
	} {
		if next, err := policy.Follow(each.epoch, each.handover); next != nil || !errors.Is(err, each.code) {
			t.Errorf("%d: %v %v", i, next, err)
		}
	}
	followed := follow(t, policy, 0, firstHandover)
	if _, err := followed.Verify(read(t, proofBehind), behindArtifact(t)); err != nil {
		t.Error(err)
	}
	// The first to be followed says of which epoch the policy is; from then on it is known.
	if _, err := followed.Follow(2, read(t, secondHandover)); !errors.Is(err, CodeWrongEpoch) {
		t.Error(err)
	}
}

func TestHandoversInManyGoroutines(t *testing.T) {
	policy, first, proof, artifact := fourPolicy(t), read(t, firstHandover), read(t, proofBehind), behindArtifact(t)
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < 20; j++ {
				followed, err := policy.Follow(0, first)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := followed.Verify(proof, artifact); err != nil {
					t.Error(err)
				}
				followed.Close()
			}
		}()
	}
	all.Wait()
	policy.Close()
}
