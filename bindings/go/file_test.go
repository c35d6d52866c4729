package synchronicity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
		}
	}
}

func TestVerifyFileBeside(t *testing.T) {
	policy := fourPolicy(t)
	artifact, proof := pair(t)
	if shown, err := policy.VerifyFile(artifact); err != nil || shown.Reproducers != 4 {
		t.Fatal(shown, err)
	}
	if shown, err := policy.VerifyFileWith(artifact, proof); err != nil || shown.Reproducers != 4 {
		t.Fatal(shown, err)
	}
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

func TestVerifyFileRefusesPipes(t *testing.T) {
	policy := fourPolicy(t)
	artifact, proof := pair(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	for _, path := range []string{pipe, artifact + "2.tlog-proof"} {
		if err := syscall.Mkfifo(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(t, artifact+"2", read(t, "artifacts/"+caseNamed(t, "all-four").artifact.String()))
	_, err := policy.VerifyFile(pipe)
	_, err1 := policy.VerifyFile(artifact + "2")
	_, err2 := policy.VerifyFileWith(pipe, proof)
	_, err3 := policy.VerifyFileWith(artifact, pipe)
	_, err4 := ReadPolicy(pipe)
	for i, err := range []error{err, err1, err2, err3, err4} {
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%d: %v", i, err)
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
