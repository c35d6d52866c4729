package node

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"
)

// ErrClosed is what the methods of a closed Node or Registry return.
var ErrClosed = errors.New("synchronicity: closed")

// Code says why something was refused. Its numbers are the C interface's and never change their meaning; treat one
// that you do not know as a refusal. As an error it is what errors.Is compares with.
type Code int32

// The codes that calls about nodes give. Numbers below 100 are those of package synchronicity, 200 to 299 a plugin's.
const (
	// CodeTooLarge: a named limit was passed (size, count).
	CodeTooLarge Code = C.SYNC_ERROR_TOO_LARGE
	// CodeABIVersion: the library found at run time speaks another version of the interface.
	CodeABIVersion Code = C.SYNC_ERROR_ABI_VERSION
	// CodeOutOfRange: a number out of its bounds.
	CodeOutOfRange Code = C.SYNC_ERROR_OUT_OF_RANGE
	// CodeInvalidArgument: an argument that the call cannot take.
	CodeInvalidArgument Code = C.SYNC_ERROR_INVALID_ARGUMENT
	// CodeState: not in this state of the node, or not from within what the node itself waits for.
	CodeState Code = C.SYNC_ERROR_STATE
	// CodeTimedOut: time is up; what was asked for may happen all the same.
	CodeTimedOut Code = C.SYNC_ERROR_TIMED_OUT
	// CodeUnavailable: the host lacks something: a program, a permission, a kernel feature, a device, a port.
	CodeUnavailable Code = C.SYNC_ERROR_UNAVAILABLE
	// CodeNotFound: there is no such package, toolchain, proof or artifact.
	CodeNotFound Code = C.SYNC_ERROR_NOT_FOUND
	// CodeChecksumMismatch: bytes do not have the digest that was asked for.
	CodeChecksumMismatch Code = C.SYNC_ERROR_CHECKSUM_MISMATCH
	// CodeInvalid: a configuration, a group file or a request does not hold together.
	CodeInvalid Code = C.SYNC_ERROR_INVALID
	// CodeIO: reading or writing failed.
	CodeIO Code = C.SYNC_ERROR_IO
	// CodeCancelled: the call was cancelled.
	CodeCancelled Code = C.SYNC_ERROR_CANCELLED
)

var codeTexts = map[Code]string{
	CodeTooLarge:         "too large",
	CodeABIVersion:       "ABI version",
	CodeOutOfRange:       "out of range",
	CodeInvalidArgument:  "invalid argument",
	CodeState:            "wrong state",
	CodeTimedOut:         "timed out",
	CodeUnavailable:      "unavailable",
	CodeNotFound:         "not found",
	CodeChecksumMismatch: "checksum mismatch",
	CodeInvalid:          "invalid",
	CodeIO:               "input or output failed",
	CodeCancelled:        "cancelled",
}

// String returns the code's words, such as "not found".
func (c Code) String() string {
	if text, ok := codeTexts[c]; ok {
		return text
	}
	return fmt.Sprintf("code %d", int32(c))
}

// Error makes a Code an error, so that errors.Is(err, CodeNotFound) compiles.
func (c Code) Error() string {
	return "synchronicity: " + c.String()
}

// Error is a refusal. Use errors.As for its fields, errors.Is with a Code for its kind.
type Error struct {
	Code    Code   // for programs
	Message string // one sentence for people: what was got, what was wanted
	Offset  int64  // the byte of the input at which reading stopped, or -1 where none applies
}

// Error returns the message, with the offset where there is one.
func (e *Error) Error() string {
	message := e.Message
	if message == "" {
		message = e.Code.String()
	}
	if e.Offset < 0 {
		return message
	}
	return fmt.Sprintf("%s (at byte %d)", message, e.Offset)
}

// Unwrap returns the code, for errors.Is.
func (e *Error) Unwrap() error {
	return e.Code
}

func refuse(code Code, format string, arguments ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, arguments...), Offset: -1}
}

// takeError turns the library's error into Go's and destroys it.
func takeError(status C.sync_status, raw *C.sync_error) error {
	if status == C.SYNC_OK {
		return nil
	}
	err := &Error{
		Code:    Code(status),
		Message: C.GoString(C.sync_error_get_message(raw)),
		Offset:  int64(C.sync_error_get_offset(raw)),
	}
	C.sync_error_destroy(raw)
	return err
}

var (
	versionOnce  sync.Once
	versionError error
)

// checkVersion refuses a library of another ABI before any other of its functions is called.
func checkVersion() error {
	versionOnce.Do(func() {
		if found := C.sync_get_abi_version(); found != C.SYNC_ABI_VERSION {
			versionError = refuse(CodeABIVersion, "libsync has ABI version %d; this package was built for %d: build anew",
				uint32(found), uint32(C.SYNC_ABI_VERSION))
		}
	})
	return versionError
}

// texts holds C strings, and what points to them, until they are freed.
type texts struct {
	held []unsafe.Pointer
}

// allocate gives zeroed memory of C's.
func (t *texts) allocate(size C.size_t) unsafe.Pointer {
	raw := C.calloc(1, size)
	t.held = append(t.held, raw)
	return raw
}

// add makes a C string of a text without a NUL.
func (t *texts) add(what, text string) (*C.char, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, refuse(CodeInvalidArgument, "%s holds a NUL byte, which no text of the C interface can", what)
	}
	raw := C.CString(text)
	t.held = append(t.held, unsafe.Pointer(raw))
	return raw, nil
}

// optional makes NULL of an empty text.
func (t *texts) optional(what, text string) (*C.char, error) {
	if text == "" {
		return nil, nil
	}
	return t.add(what, text)
}

func (t *texts) free() {
	for _, raw := range t.held {
		C.free(raw)
	}
	t.held = nil
}

// takeBytes copies the library's bytes and destroys them.
func takeBytes(raw *C.sync_bytes) []byte {
	defer C.sync_bytes_destroy(raw)
	return copyBytes(unsafe.Pointer(C.sync_bytes_get_start(raw)), C.sync_bytes_get_size(raw))
}

// copyBytes copies what C lends; never nil.
func copyBytes(start unsafe.Pointer, size C.size_t) []byte {
	return append([]byte{}, unsafe.Slice((*byte)(start), int(size))...)
}
