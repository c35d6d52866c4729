package synchronicity

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func write(t *testing.T, path string, bytes []byte) {
	t.Helper()
	if err := os.WriteFile(path, bytes, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pair makes a folder with an artifact and its sidecar.
func pair(t *testing.T) (artifact, proof string) {
	t.Helper()
	artifact = filepath.Join(t.TempDir(), "libitoa.rlib")
	proof = artifact + ".tlog-proof"
	each := caseNamed(t, "all-four")
	write(t, artifact, read(t, "artifacts/"+each.artifact.String()))
	write(t, proof, read(t, each.proof))
	return artifact, proof
}

// checkFile compares all but the verification, and expects the package that nearly all vectors are about.
func checkFile(t *testing.T, shown *FileVerification, origin ProofOrigin, proofPath string, content []byte) {
	t.Helper()
	if shown.ProofOrigin != origin || shown.ProofPath != proofPath {
		t.Errorf("the proof is %v in %s, not %v in %s", shown.ProofOrigin, shown.ProofPath, origin, proofPath)
	}
	if shown.Digest != Digest(sha256.Sum256(content)) || shown.ContentSize != int64(len(content)) {
		t.Errorf("%v of %d bytes", shown.Digest, shown.ContentSize)
	}
	if shown.Proof.Package != "pkg:cargo/itoa@1.0.1" {
		t.Error(shown.Proof.Package)
	}
	if shown.Proof.LeafIndex != shown.LeafIndex || len(shown.Proof.Builders) != shown.Builders {
		t.Errorf("the proof does not belong to %+v", shown.Verification)
	}
}

func TestVerifyFileEmbedded(t *testing.T) {
	policy := fourPolicy(t)
	for _, each := range embeddedCases(t) {
		shown, err := policy.VerifyFile(filepath.Join(vectors(), each.file))
		switch {
		case each.status != 0:
			if codeOf(err) != each.status {
				t.Errorf("%s: %v", each.name, err)
			}
		case each.want.Form == EmbeddedNone:
			if !errors.Is(err, ErrNoProof) {
				t.Errorf("%s: %v", each.name, err)
			}
		case err != nil || shown.Verdict != VerdictReproduced:
			t.Errorf("%s: %v %v", each.name, shown, err)
		default:
			content := read(t, each.file)[:each.want.ContentSize]
			checkFile(t, shown, ProofEmbedded, filepath.Join(vectors(), each.file), content)
		}
	}
}

func TestVerifyFileBeside(t *testing.T) {
	policy := fourPolicy(t)
	artifact, proof := pair(t)
	shown, err := policy.VerifyFile(artifact)
	if err != nil || shown.Reproducers != 4 {
		t.Fatal(shown, err)
	}
	content := read(t, "artifacts/"+caseNamed(t, "all-four").artifact.String())
	checkFile(t, shown, ProofSidecar, proof, content)
	// Its fields are what is left of it, so that nobody has to close it.
	if _, err := shown.Proof.Verify(policy, shown.Digest); err != ErrClosed {
		t.Error(err)
	}
	shown, err = policy.VerifyFileWith(artifact, proof)
	if err != nil || shown.Reproducers != 4 {
		t.Fatal(shown, err)
	}
	checkFile(t, shown, ProofGiven, proof, content)
	write(t, artifact, []byte("something else"))
	if _, err := policy.VerifyFile(artifact); !errors.Is(err, CodeArtifactMismatch) || !errors.Is(err, ErrNotVerified) {
		t.Error(err)
	}
	// Two pieces and a bit.
	if err := os.Truncate(artifact, 300_000); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.VerifyFile(artifact); !errors.Is(err, CodeArtifactMismatch) {
		t.Error(err)
	}
	write(t, proof, []byte("something else"))
	if _, err := policy.VerifyFile(artifact); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), proof) {
		t.Error(err)
	}
	if err := os.Remove(proof); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.VerifyFile(artifact); !errors.Is(err, ErrNoProof) || !strings.Contains(err.Error(), artifact) {
		t.Error(err)
	}
	if err := os.Mkdir(proof, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := policy.VerifyFile(artifact); err == nil || errors.Is(err, ErrNoProof) {
		t.Error(err)
	}
	policy.Close()
	if _, err := policy.VerifyFileWith(artifact, filepath.Join(vectors(), "proofs/all-four.tlog-proof")); err == nil {
		t.Error("a closed policy verifies")
	}
}

func TestVerifyFileTellsThePackage(t *testing.T) {
	policy := fourPolicy(t)
	artifact, proof := pair(t)
	// The same bytes, rebuilt as another package: it holds, and says for what.
	write(t, proof, read(t, caseNamed(t, "purl-namespace").proof))
	shown, err := policy.VerifyFile(artifact)
	shown1, err1 := policy.VerifyFileWith(artifact, proof)
	if err != nil || err1 != nil {
		t.Fatal(err, err1)
	}
	for _, each := range []*FileVerification{shown, shown1} {
		if each.Verdict != VerdictReproduced || each.Proof.Package != "pkg:deb/debian/zlib1g@1.2.13.dfsg-1+b1" {
			t.Errorf("%v of %s", each.Verdict, each.Proof.Package)
		}
	}
}

func TestProofOriginNames(t *testing.T) {
	for origin, want := range map[ProofOrigin]string{
		ProofGiven: "given", ProofEmbedded: "embedded", ProofSidecar: "sidecar", 9: "origin 9",
	} {
		if origin.String() != want {
			t.Errorf("%v is not %s", origin, want)
		}
	}
}

func TestVerifyFileEmbeddedComesFirst(t *testing.T) {
	policy := fourPolicy(t)
	path := filepath.Join(t.TempDir(), "plain.bin")
	write(t, path, read(t, "embedded/trailer-odd.elf"))
	write(t, path+".tlog-proof", []byte("not looked at"))
	if _, err := policy.VerifyFile(path); err != nil {
		t.Error(err)
	}
	// A proof that is named is about the whole file.
	beside := filepath.Join(vectors(), "proofs/embedded-trailer-odd.tlog-proof")
	if _, err := policy.VerifyFileWith(path, beside); !errors.Is(err, CodeArtifactMismatch) {
		t.Error(err)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	policy := fourPolicy(t)
	artifact, _ := pair(t)
	missing := filepath.Join(t.TempDir(), "no-such-file")
	_, err := policy.VerifyFile(missing)
	_, err1 := policy.VerifyFileWith(artifact, missing)
	for _, err := range []error{err, err1} {
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoProof) || !strings.Contains(err.Error(), missing) {
			t.Error(err)
		}
	}
	if _, err := policy.VerifyFile(t.TempDir()); err == nil || codeOf(err) != -1 {
		t.Error(err)
	}
}

func TestVerifyFileRefusesWhatIsNoRegularFile(t *testing.T) {
	policy := fourPolicy(t)
	artifact, proof := pair(t)
	other, _ := pair(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, odd := range []string{pipe, t.TempDir(), "/dev/zero"} {
		if err := os.Remove(other + ".tlog-proof"); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(odd, other+".tlog-proof"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err := policy.VerifyFile(odd)
		_, err1 := policy.VerifyFile(other)
		_, err2 := policy.VerifyFileWith(odd, proof)
		_, err3 := policy.VerifyFileWith(artifact, odd)
		_, err4 := ReadPolicy(odd)
		for i, err := range []error{err, err1, err2, err3, err4} {
			if err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s, %d: %v", odd, i, err)
			}
		}
		if taken := time.Since(start); taken > 10*time.Second {
			t.Errorf("%s: %v", odd, taken)
		}
	}
}

func TestReadPolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy")
	if _, err := ReadPolicy(path); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	write(t, path, []byte("log\n"))
	if _, err := ReadPolicy(path); !errors.Is(err, CodeMalformed) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	if err := os.Truncate(path, 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPolicy(path); !errors.Is(err, CodeTooLarge) {
		t.Error(err)
	}
}
