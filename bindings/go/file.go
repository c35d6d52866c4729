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

// VerifyFile checks a file against the proof that is embedded in it, or else the one beside it: libitoa.rlib.tlog-proof
// for libitoa.rlib. Where there is neither, the error is ErrNoProof.
//
// The proof is read and parsed first, never more than ProofBytesMax bytes and one; the file is read once, in pieces.
func (p *Policy) VerifyFile(path string) (*Verification, error) {
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
		return p.verifyContent(io.NewSectionReader(file, 0, found.ContentSize), path, proof, path)
	}
	shown, err := p.verifyBeside(file, path, path+".tlog-proof")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s, and no %[2]s.tlog-proof", ErrNoProof, path)
	}
	return shown, err
}

// VerifyFileWith checks all of a file, whatever is embedded in it, against the proof in another file.
func (p *Policy) VerifyFileWith(path, proofPath string) (*Verification, error) {
	file, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return p.verifyBeside(file, path, proofPath)
}

func (p *Policy) verifyBeside(file *os.File, path, proofPath string) (*Verification, error) {
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
	return p.verifyContent(file, path, proof, proofPath)
}

func (p *Policy) verifyContent(content io.Reader, path string, proof []byte, proofPath string) (*Verification, error) {
	// Before the artifact is read, which may be large.
	parsed, err := ParseProof(proof)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", proofPath, err)
	}
	defer parsed.Close()
	hasher := NewHasher()
	// io.Copy would take pieces of 32 KiB, each a call into C.
	if _, err := io.CopyBuffer(hasher, onlyReader{content}, make([]byte, 1<<17)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	shown, err := parsed.Verify(p, hasher.Digest())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return shown, nil
}

// onlyReader hides WriteTo, which would not use the buffer that io.CopyBuffer is given.
type onlyReader struct {
	io.Reader
}
