package synchronicity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// openRegular refuses a pipe, a folder or a device, and does not wait for a pipe's writer.
func openRegular(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// ReadPolicy reads and parses a policy file, of which it reads no more than PolicyBytesMax bytes and one.
func ReadPolicy(path string) (*Policy, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	policy, err := io.ReadAll(io.LimitReader(file, PolicyBytesMax+1))
	if err != nil {
		return nil, err
	}
	parsed, err := ParsePolicy(policy)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return parsed, nil
}

// ProofOrigin is where a file's proof came from.
type ProofOrigin int

// The origins.
const (
	// ProofGiven: the caller named it.
	ProofGiven ProofOrigin = iota + 1
	// ProofEmbedded: it was inside the file.
	ProofEmbedded
	// ProofSidecar: it was beside the file, under its name with .tlog-proof behind.
	ProofSidecar
)

// String returns the origin's word, such as "sidecar".
func (o ProofOrigin) String() string {
	switch o {
	case ProofGiven:
		return "given"
	case ProofEmbedded:
		return "embedded"
	case ProofSidecar:
		return "sidecar"
	}
	return fmt.Sprintf("origin %d", int(o))
}

// FileVerification is what a proof that holds has shown of a file. The proof is about the package that it names,
// whatever the file is called: compare Proof.Package with the package that you want.
//
// There is nothing to close: the proof is closed already, which leaves its fields readable.
type FileVerification struct {
	Verification
	Proof       *Proof // now to be believed
	Digest      Digest // the artifact's
	ContentSize int64  // bytes of the artifact: all of the file, but for a proof that is embedded in it
	ProofOrigin ProofOrigin
	ProofPath   string // the file that held the proof; the artifact's own for ProofEmbedded
}

// VerifyFile checks a file against the proof that is embedded in it, or else the one beside it: libitoa.rlib.tlog-proof
// for libitoa.rlib. Where there is neither, the error is ErrNoProof.
//
// The proof is read and parsed first, never more than ProofBytesMax bytes and one; the file is read once, in pieces.
//
// A pipe, a folder or a device is refused, as file and as proof.
func (p *Policy) VerifyFile(path string) (*FileVerification, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	found, err := FindEmbedded(file, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if found.Form != EmbeddedNone {
		proof, err := readRange(file, found.ProofOffset, found.ProofSize)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return p.verifyContent(io.NewSectionReader(file, 0, found.ContentSize), path, proof, ProofEmbedded, path)
	}
	shown, err := p.verifyBeside(file, path, ProofSidecar, path+".tlog-proof")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s, and no %[2]s.tlog-proof", ErrNoProof, path)
	}
	return shown, err
}

// VerifyFileWith checks all of a file, whatever is embedded in it, against the proof in another file.
func (p *Policy) VerifyFileWith(path, proofPath string) (*FileVerification, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return p.verifyBeside(file, path, ProofGiven, proofPath)
}

func (p *Policy) verifyBeside(
	file *os.File, path string, origin ProofOrigin, proofPath string,
) (*FileVerification, error) {
	proofFile, err := openRegular(proofPath)
	if err != nil {
		return nil, err
	}
	defer proofFile.Close()
	// One byte more than is taken is enough to have it refused.
	proof, err := io.ReadAll(io.LimitReader(proofFile, ProofBytesMax+1))
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return p.verifyContent(file, path, proof, origin, proofPath)
}

func (p *Policy) verifyContent(
	content io.Reader, path string, proof []byte, origin ProofOrigin, proofPath string,
) (*FileVerification, error) {
	// Before the artifact is read, which may be large.
	parsed, err := ParseProof(proof)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", proofPath, err)
	}
	defer parsed.Close()
	hasher := NewHasher()
	// io.Copy would take pieces of 32 KiB, each a call into C.
	size, err := io.CopyBuffer(hasher, onlyReader{content}, make([]byte, 1<<17))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	digest := hasher.Digest()
	shown, err := parsed.Verify(p, digest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &FileVerification{*shown, parsed, digest, size, origin, proofPath}, nil
}

// onlyReader hides WriteTo, which would not use the buffer that io.CopyBuffer is given.
type onlyReader struct {
	io.Reader
}
