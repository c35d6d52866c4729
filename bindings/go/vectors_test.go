package synchronicity

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestCases(t *testing.T) {
	refused := 0
	all := cases(t)
	for _, each := range all {
		policyBytes, proofBytes := read(t, each.policy), read(t, each.proof)
		shown, err := Verify(policyBytes, proofBytes, each.artifact)
		if codeOf(err) != each.status {
			t.Errorf("%s: got %v, want status %d", each.name, err, each.status)
			continue
		}
		again, errAgain := policyFirst(policyBytes, proofBytes, each.artifact)
		if !reflect.DeepEqual(shown, again) || codeOf(errAgain) != each.status {
			t.Errorf("%s: Verify says %v %v, Policy.Verify %v %v", each.name, shown, err, again, errAgain)
		}
		again, errAgain = bothFirst(policyBytes, proofBytes, each.artifact)
		if !reflect.DeepEqual(shown, again) || codeOf(errAgain) != each.status {
			t.Errorf("%s: Verify says %v %v, Proof.Verify %v %v", each.name, shown, err, again, errAgain)
		}
		if err != nil {
			refused++
			checkError(t, each.name, err)
		} else {
			proof, err := ParseProof(proofBytes)
			if err != nil {
				t.Fatal(err)
			}
			checkShown(t, each.name, shown, proof)
		}
	}
	if refused < 150 || refused == len(all) {
		t.Errorf("%d of %d cases are refused", refused, len(all))
	}
	t.Logf("%d cases, %d of them refused", len(all), refused)
}

func policyFirst(policyBytes, proofBytes []byte, artifact Digest) (*Verification, error) {
	policy, err := ParsePolicy(policyBytes)
	if err != nil {
		return nil, err
	}
	defer policy.Close()
	return policy.Verify(proofBytes, artifact)
}

func bothFirst(policyBytes, proofBytes []byte, artifact Digest) (*Verification, error) {
	policy, err := ParsePolicy(policyBytes)
	if err != nil {
		return nil, err
	}
	defer policy.Close()
	proof, err := ParseProof(proofBytes)
	if err != nil {
		return nil, err
	}
	defer proof.Close()
	return proof.Verify(policy, artifact)
}

func checkError(t *testing.T, name string, err error) {
	t.Helper()
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Message == "" || refusal.Offset < -1 {
		t.Errorf("%s: %#v", name, err)
		return
	}
	if !errors.Is(err, refusal.Code) {
		t.Errorf("%s: %v is not its own code", name, err)
	}
	if errors.Is(err, ErrMalformed) == errors.Is(err, ErrNotVerified) {
		t.Errorf("%s: %v is of no class, or of both", name, err)
	}
}

func checkShown(t *testing.T, name string, shown *Verification, proof *Proof) {
	t.Helper()
	if shown.Verdict != VerdictReproduced || shown.LeafIndex != proof.LeafIndex || shown.TreeSize != proof.TreeSize ||
		shown.Height != proof.Height || shown.TimeMilliseconds != proof.TimeMilliseconds ||
		shown.Builders != len(proof.Builders) || !shown.Time().Equal(proof.Time()) {
		t.Errorf("%s: %+v does not fit the proof", name, shown)
	}
	reproducers, cosigners := 0, 0
	for i := -10; i < 1000; i++ {
		if shown.IsReproducer(i) {
			reproducers++
			if i >= len(proof.Builders) || proof.Builders[i].OutcomeSHA256.IsZero() || proof.Builders[i].Outcome != 0 {
				t.Errorf("%s: builder %d cannot be a reproducer", name, i)
			}
		}
		if shown.IsCosigner(i) {
			cosigners++
			if i >= len(proof.Signatures) || !proof.Signatures[i].IsTimed {
				t.Errorf("%s: signature %d cannot be a cosigner's", name, i)
			}
		}
	}
	// One witness may have several lines, each of which counts towards it.
	if reproducers != shown.Reproducers || cosigners < shown.Cosigners {
		t.Errorf("%s: %d and %d bits for %+v", name, reproducers, cosigners, shown)
	}
}

func TestDescribed(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(vectors(), "described", "*.txt"))
	if len(paths) < 20 {
		t.Fatalf("%d files in described", len(paths))
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := ParseProof(read(t, "proofs/"+name+".tlog-proof"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := describe(proof); got != string(want) {
			t.Errorf("%s says\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestEmbedded(t *testing.T) {
	all := embeddedCases(t)
	if len(all) < 20 {
		t.Fatalf("%d cases", len(all))
	}
	policy := fourPolicy(t)
	for _, each := range all {
		file := read(t, each.file)
		found, err := FindEmbedded(bytes.NewReader(file), int64(len(file)))
		if codeOf(err) != each.status || found != each.want {
			t.Errorf("%s: got %+v %v, want %+v %d", each.name, found, err, each.want, each.status)
			continue
		}
		if found.Form == EmbeddedNone {
			continue
		}
		proof := file[found.ProofOffset:][:found.ProofSize]
		if _, err := policy.Verify(proof, sha256.Sum256(file[:found.ContentSize])); err != nil {
			t.Errorf("%s: %v", each.name, err)
		}
	}
}

func TestEmbeddedSizesThatDoNotFit(t *testing.T) {
	file := strings.NewReader("shorter than said")
	if _, err := FindEmbedded(file, -1); !errors.Is(err, CodeInvalidArgument) {
		t.Errorf("-1 bytes: %v", err)
	}
	for _, size := range []int64{18, 1 << 20, math.MaxInt64} {
		if _, err := FindEmbedded(file, size); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestEmptyInput(t *testing.T) {
	policy := fourPolicy(t)
	for _, empty := range [][]byte{nil, {}} {
		_, err := ParsePolicy(empty)
		_, err1 := ParseProof(empty)
		_, err2 := Verify(empty, empty, Digest{})
		_, err3 := policy.Verify(empty, Digest{})
		for i, err := range []error{err, err1, err2, err3} {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%d: %v", i, err)
			}
		}
	}
}

func TestInputAboveTheLimit(t *testing.T) {
	large := bytes.Repeat([]byte{'\n'}, ProofBytesMax+1)
	if _, err := ParseProof(large); !errors.Is(err, CodeTooLarge) {
		t.Error(err)
	}
	if _, err := ParsePolicy(large[:PolicyBytesMax+1]); !errors.Is(err, CodeTooLarge) {
		t.Error(err)
	}
}

func TestHasher(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 100)
	hasher := NewHasher()
	for _, size := range []int{1, 3, 63, 64, 65, 999, 1000} {
		for rest := data; len(rest) > 0; {
			count := size
			if count > len(rest) {
				count = len(rest)
			}
			if written, err := hasher.Write(rest[:count]); written != count || err != nil {
				t.Fatal(written, err)
			}
			hasher.Write(nil)
			rest = rest[count:]
		}
		if digest := hasher.Digest(); digest != sha256.Sum256(data) {
			t.Errorf("pieces of %d: %v", size, digest)
		}
	}
	if digest := hasher.Digest(); digest != sha256.Sum256(nil) {
		t.Errorf("nothing: %v", digest)
	}
}

func TestClosedOrCollectedOnlyWithTheLastCopy(t *testing.T) {
	each := caseNamed(t, "all-four")
	copies := func() (Hasher, Policy, Proof) {
		proof, err := ParseProof(read(t, each.proof))
		if err != nil {
			t.Fatal(err)
		}
		return *NewHasher(), *fourPolicy(t), *proof
	}
	hasher, policy, proof := copies()
	for i := 0; i < 5; i++ {
		collect()
		// What was freed too early is given to others.
		NewHasher().Write([]byte("other"))
		hasher.Write([]byte("abc"))
		if digest := hasher.Digest(); digest != sha256.Sum256([]byte("abc")) {
			t.Error(digest)
		}
		if shown, err := proof.Verify(&policy, each.artifact); err != nil || shown.Reproducers != 4 {
			t.Error(shown, err)
		}
	}
	again := policy
	policy.Close()
	if _, err := again.Verify(read(t, each.proof), each.artifact); err != ErrClosed {
		t.Error(err)
	}
	if _, err := new(Proof).Verify(new(Policy), each.artifact); err != ErrClosed {
		t.Error(err)
	}
	if _, err := new(Hasher).Write(nil); !errors.Is(err, CodeNullArgument) {
		t.Error(err)
	}
}

func TestDigestTexts(t *testing.T) {
	text := "0123456789abcdefABCDEF00112233445566778899aabbccddeeff0011223344"
	digest, err := ParseDigest(text)
	if err != nil || digest.String() != strings.ToLower(text) || digest.IsZero() {
		t.Errorf("%v %v", digest, err)
	}
	for _, bad := range []string{"", "00", text[1:], text + "0", "g" + text[1:], "é" + text[2:]} {
		if _, err := ParseDigest(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	var again Digest
	marshalled, _ := digest.MarshalText()
	if err := again.UnmarshalText(marshalled); err != nil || again != digest {
		t.Errorf("%v %v", again, err)
	}
}

func TestCodesAndNames(t *testing.T) {
	for code, text := range codeTexts {
		err := error(&Error{Code: code, Offset: -1})
		if err.Error() != text || !errors.Is(err, code) || errors.Is(err, code+1000) {
			t.Errorf("%d: %v", code, err)
		}
		isInput := errors.Is(err, ErrMalformed) != errors.Is(err, ErrNotVerified)
		if isInput != (code < 100) {
			t.Errorf("%v is in the wrong class", code)
		}
	}
	unknown := &Error{Code: 77, Message: "new", Offset: 5}
	if !errors.Is(unknown, ErrNotVerified) || unknown.Error() != "new (at byte 5)" || Code(77).String() != "code 77" {
		t.Errorf("%v", unknown)
	}
	names := []string{VerdictDiverged.String(), Verdict(9).String(), BuilderNoReveal.String(), BuilderState(9).String(),
		EmbeddedArchiveMember.String(), EmbeddedForm(9).String()}
	want := []string{"diverged", "verdict 9", "no reveal", "state 9", "archive member", "form 9"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("%q", names)
	}
	if LibraryVersion() == "" {
		t.Error("the library has no version")
	}
}

func TestClosed(t *testing.T) {
	each := caseNamed(t, "all-four")
	policy, proofBytes := fourPolicy(t), read(t, each.proof)
	proof, err := ParseProof(proofBytes)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2; i++ {
		if err := proof.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := proof.Verify(policy, each.artifact); err != ErrClosed {
		t.Error(err)
	}
	if len(proof.Builders) != 4 {
		t.Error("the fields of a closed proof are gone")
	}
	policy.Close()
	policy.Close()
	if _, err := policy.Verify(proofBytes, each.artifact); err != ErrClosed {
		t.Error(err)
	}
}
