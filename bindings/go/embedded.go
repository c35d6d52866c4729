package synchronicity

// #include <sync/verify.h>
import "C"

import (
	"fmt"
	"io"
)

// EmbeddedForm is how a proof is embedded.
type EmbeddedForm int32

// The forms.
const (
	// EmbeddedNone: no proof is embedded.
	EmbeddedNone EmbeddedForm = C.SYNC_EMBEDDED_NONE
	// EmbeddedTrailer: behind the end of the content: proof, length, magic.
	EmbeddedTrailer EmbeddedForm = C.SYNC_EMBEDDED_TRAILER
	// EmbeddedArchiveMember: the same inside a last member of an ar archive, such as an .rlib.
	EmbeddedArchiveMember EmbeddedForm = C.SYNC_EMBEDDED_ARCHIVE_MEMBER
)

// String returns the form's words, such as "archive member".
func (f EmbeddedForm) String() string {
	switch f {
	case EmbeddedNone:
		return "none"
	case EmbeddedTrailer:
		return "trailer"
	case EmbeddedArchiveMember:
		return "archive member"
	}
	return fmt.Sprintf("form %d", int32(f))
}

// Embedded says where in a file its proof is. The artifact that the proof is about is the file's first ContentSize
// bytes.
type Embedded struct {
	Form        EmbeddedForm
	ContentSize int64 // bytes of the artifact; the file's size where nothing is embedded
	ProofOffset int64 // from the file's start; 0 where nothing is embedded
	ProofSize   int64 // 0 where nothing is embedded
}

// FindEmbedded looks for a proof inside a file of size bytes, from the file's ends alone: it reads 1 MiB at most. A
// file without a proof gives EmbeddedNone; one that ends like a proof but holds none gives an *Error.
func FindEmbedded(file io.ReaderAt, size int64) (Embedded, error) {
	if size < 0 {
		return Embedded{}, &Error{CodeInvalidArgument, fmt.Sprintf("a file cannot have %d bytes", size), -1}
	}
	head, err := readRange(file, 0, atMost(size, C.SYNC_EMBEDDED_HEAD_SIZE))
	if err != nil {
		return Embedded{}, err
	}
	tailSize := atMost(size, C.SYNC_EMBEDDED_TAIL_SIZE)
	tail, err := readRange(file, size-tailSize, tailSize)
	if err != nil {
		return Embedded{}, err
	}
	raw := C.sync_embedded{struct_size: C.sizeof_sync_embedded, abi_version: C.SYNC_ABI_VERSION}
	var rawError *C.sync_error
	status := C.sync_embedded_find(start(head), C.size_t(len(head)), start(tail), C.size_t(len(tail)),
		C.uint64_t(size), 0, &raw, &rawError)
	if err := takeError(status, rawError); err != nil {
		return Embedded{}, err
	}
	return Embedded{
		Form:        EmbeddedForm(raw.form),
		ContentSize: int64(raw.content_size),
		ProofOffset: int64(raw.proof_offset),
		ProofSize:   int64(raw.proof_size),
	}, nil
}

// readRange reads exactly size bytes.
func readRange(file io.ReaderAt, offset, size int64) ([]byte, error) {
	bytes := make([]byte, size)
	count, err := file.ReadAt(bytes, offset)
	if count == len(bytes) {
		// ReadAt may say io.EOF beside the last bytes.
		return bytes, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

func atMost(size, limit int64) int64 {
	if size < limit {
		return size
	}
	return limit
}
