package synchronicity

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory reads a line of /proc/self/status in KiB: VmRSS is now, VmHWM the most so far.
func memory(t *testing.T, line string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(status), line+":")
	value, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// collect frees what nobody holds, C's memory included.
func collect() {
	runtime.GC()
	// Finalizers run in a goroutine of their own.
	time.Sleep(5 * time.Millisecond)
}

// settle returns the resident size once everything that nobody holds is gone.
func settle(t *testing.T) int {
	collect()
	collect()
	debug.FreeOSMemory()
	return memory(t, "VmRSS")
}

func TestNothingLeaks(t *testing.T) {
	policyBytes, proofBytes := read(t, "policies/four.policy"), read(t, "proofs/all-four.tlog-proof")
	file := read(t, "embedded/archive-odd.rlib")
	artifact := caseNamed(t, "all-four").artifact
	round := func(close bool) {
		policy, err := ParsePolicy(policyBytes)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := ParseProof(proofBytes)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proof.Verify(policy, artifact); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(policyBytes, proofBytes, Digest{}); err == nil {
			t.Fatal("accepted")
		}
		if _, err := ParseProof(proofBytes[1:]); err == nil {
			t.Fatal("accepted")
		}
		if _, err := FindEmbedded(bytes.NewReader(file[8:]), int64(len(file)-8)); err == nil {
			t.Fatal("accepted")
		}
		if _, err := NewHasher().Write(file); err != nil {
			t.Fatal(err)
		}
		if close {
			policy.Close()
			proof.Close()
		}
	}
	rounds := func(count int) {
		for i := 0; i < count; i++ {
			// Half of the objects are left to the garbage collector, which does not see how much of C's they hold.
			round(i%2 == 0)
			if i%100 == 0 {
				collect()
			}
		}
	}
	rounds(1000)
	// A leak grows in every series, by 600 KiB if only an error object of some 200 bytes is lost; the collectors' own
	// swings do not.
	least := 1 << 30
	for series := 0; series < 3; series++ {
		before := settle(t)
		rounds(3000)
		grown := settle(t) - before
		t.Logf("3000 rounds: %d KiB more", grown)
		if grown < least {
			least = grown
		}
	}
	if least > 400 {
		t.Errorf("%d KiB leaked in each of three series", least)
	}
}

func TestHugeProofIsRefusedAfterABoundedRead(t *testing.T) {
	artifact := filepath.Join(t.TempDir(), "a")
	write(t, artifact, []byte("artifact"))
	write(t, artifact+".tlog-proof", nil)
	if err := os.Truncate(artifact+".tlog-proof", 1<<30); err != nil {
		t.Fatal(err)
	}
	policy := fourPolicy(t)
	before, start := memory(t, "VmHWM"), time.Now()
	if _, err := policy.VerifyFile(artifact); !errors.Is(err, CodeTooLarge) {
		t.Error(err)
	}
	grown := memory(t, "VmHWM") - before
	t.Logf("1 GiB proof: %d KiB more, %v", grown, time.Since(start))
	if grown > 32<<10 {
		t.Errorf("%d KiB", grown)
	}
}

func TestHugeArtifactWithoutAProofIsNotRead(t *testing.T) {
	artifact := filepath.Join(t.TempDir(), "a")
	write(t, artifact, nil)
	if err := os.Truncate(artifact, 1<<40); err != nil {
		t.Fatal(err)
	}
	before := memory(t, "VmHWM")
	if _, err := fourPolicy(t).VerifyFile(artifact); !errors.Is(err, ErrNoProof) {
		t.Error(err)
	}
	if grown := memory(t, "VmHWM") - before; grown > 32<<10 {
		t.Errorf("%d KiB", grown)
	}
}

func TestManyGoroutinesShareOnePolicyAndOneProof(t *testing.T) {
	each := caseNamed(t, "all-four")
	proofBytes := read(t, each.proof)
	policy := fourPolicy(t)
	proof, err := ParseProof(proofBytes)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := 0; i < 16; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 50; i++ {
				if shown, err := policy.Verify(proofBytes, each.artifact); err != nil || shown.Reproducers != 4 {
					t.Error(shown, err)
				}
				if shown, err := proof.Verify(policy, each.artifact); err != nil || shown.Reproducers != 4 {
					t.Error(shown, err)
				}
				if _, err := proof.Verify(policy, Digest{}); !errors.Is(err, CodeArtifactMismatch) {
					t.Error(err)
				}
			}
		}()
	}
	group.Wait()
}

func TestCloseWaitsForTheCallsUnderWay(t *testing.T) {
	each := caseNamed(t, "all-four")
	proofBytes := read(t, each.proof)
	for i := 0; i < 50; i++ {
		policy := fourPolicy(t)
		proof, err := ParseProof(proofBytes)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for i := 0; i < 4; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for {
					if _, err := proof.Verify(policy, each.artifact); err == ErrClosed {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		go policy.Close()
		go proof.Close()
		group.Wait()
	}
}

func BenchmarkPolicyVerify(b *testing.B) {
	each := caseNamed(b, "all-four")
	policy, proof := fourPolicy(b), read(b, each.proof)
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if _, err := policy.Verify(proof, each.artifact); err != nil {
			b.Fatal(err)
		}
	}
}
