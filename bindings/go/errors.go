package synchronicity

// #include <sync/verify.h>
import "C"

import (
	"errors"
	"fmt"
)

var (
	// ErrNotVerified is what well-formed input that does not prove the artifact is, in the sense of errors.Is.
	ErrNotVerified = errors.New("synchronicity: not verified")
	// ErrMalformed is what a proof or policy is that is not in its format, above a limit, or a policy that does not
	// hold together.
	ErrMalformed = errors.New("synchronicity: malformed")
	// ErrNoProof is what VerifyFile returns for a file that has no proof inside it nor beside it.
	ErrNoProof = errors.New("synchronicity: no proof")
	// ErrClosed is what the methods of a closed Policy or Proof return.
	ErrClosed = errors.New("synchronicity: closed")
)

// Code says why something was refused. Its numbers are the C interface's and never change their meaning; treat one
// that you do not know as a refusal. As an error it is what errors.Is compares with.
type Code int32

// The codes. From CodeNullArgument on, the call itself was wrong, whatever the bytes say.
const (
	// CodeMalformed: the bytes are not in the format: truncated, not canonical, trailing, out of bounds.
	CodeMalformed Code = C.SYNC_ERROR_MALFORMED
	// CodeTooLarge: a named limit was passed (size, count).
	CodeTooLarge Code = C.SYNC_ERROR_TOO_LARGE
	// CodeUnsupportedVersion: the format's first line names a version that this library does not know.
	CodeUnsupportedVersion Code = C.SYNC_ERROR_UNSUPPORTED_VERSION
	// CodeInclusionMismatch: a Merkle path does not lead to the root.
	CodeInclusionMismatch Code = C.SYNC_ERROR_INCLUSION_MISMATCH
	// CodeConsistencyMismatch: a consistency path does not lead from the old root to the new one.
	CodeConsistencyMismatch Code = C.SYNC_ERROR_CONSISTENCY_MISMATCH
	// CodeUntrustedLog: no log of the policy signed the checkpoint.
	CodeUntrustedLog Code = C.SYNC_ERROR_UNTRUSTED_LOG
	// CodeInvalidSignature: a signature by a known key does not verify.
	CodeInvalidSignature Code = C.SYNC_ERROR_INVALID_SIGNATURE
	// CodeQuorumMissed: too few cosignatures for the policy's quorum.
	CodeQuorumMissed Code = C.SYNC_ERROR_QUORUM_MISSED
	// CodeReproducersMissed: too few builders of the policy revealed the artifact, or approved the hand-over.
	CodeReproducersMissed Code = C.SYNC_ERROR_REPRODUCERS_MISSED
	// CodeArtifactMismatch: the artifact's digest is not among the artifacts on which the builders agreed.
	CodeArtifactMismatch Code = C.SYNC_ERROR_ARTIFACT_MISMATCH
	// CodeVerdictMismatch: the evidence's verdict is not the one that its own lines give.
	CodeVerdictMismatch Code = C.SYNC_ERROR_VERDICT_MISMATCH
	// CodeInvalidKey: a verifier key is not in the vkey form, of a type that is not verified here, or its key ID is
	// not its own.
	CodeInvalidKey Code = C.SYNC_ERROR_INVALID_KEY
	// CodeInvalidPolicy: a trust policy is well-formed but does not hold together.
	CodeInvalidPolicy Code = C.SYNC_ERROR_INVALID_POLICY
	// CodeGroupMismatch: the evidence names another group than the log that holds it.
	CodeGroupMismatch Code = C.SYNC_ERROR_GROUP_MISMATCH
	// CodeNotEvidence: the proof carries no leaf, or one that is not evidence.
	CodeNotEvidence Code = C.SYNC_ERROR_NOT_EVIDENCE
	// CodeNotReproduced: the evidence's verdict is sound but is not "reproduced".
	CodeNotReproduced Code = C.SYNC_ERROR_NOT_REPRODUCED
	// CodeInvalidReveal: a reveal by a builder that the policy knows is not signed by that builder.
	CodeInvalidReveal Code = C.SYNC_ERROR_INVALID_REVEAL
	// CodeInvalidSpec: a build spec is well-formed but out of a bound or out of order.
	CodeInvalidSpec Code = C.SYNC_ERROR_INVALID_SPEC
	// CodeNotHandover: the proof carries no leaf, or one that is no hand-over.
	CodeNotHandover Code = C.SYNC_ERROR_NOT_HANDOVER
	// CodeWrongEpoch: a hand-over is another epoch's than the one that comes next.
	CodeWrongEpoch Code = C.SYNC_ERROR_WRONG_EPOCH
	// CodeNullArgument: NULL where an object or bytes are wanted.
	CodeNullArgument Code = C.SYNC_ERROR_NULL_ARGUMENT
	// CodeUnknownFlag: a flag that the library does not know.
	CodeUnknownFlag Code = C.SYNC_ERROR_UNKNOWN_FLAG
	// CodeStructSize: a struct that is too small for the library.
	CodeStructSize Code = C.SYNC_ERROR_STRUCT_SIZE
	// CodeABIVersion: the shared library found at run time speaks another version of the interface.
	CodeABIVersion Code = C.SYNC_ERROR_ABI_VERSION
	// CodeOutOfRange: an index at or above the count that belongs to it.
	CodeOutOfRange Code = C.SYNC_ERROR_OUT_OF_RANGE
	// CodeInvalidArgument: sizes that do not fit together.
	CodeInvalidArgument Code = C.SYNC_ERROR_INVALID_ARGUMENT
)

var codeTexts = map[Code]string{
	CodeMalformed:           "malformed",
	CodeTooLarge:            "too large",
	CodeUnsupportedVersion:  "unsupported version",
	CodeInclusionMismatch:   "inclusion mismatch",
	CodeConsistencyMismatch: "consistency mismatch",
	CodeUntrustedLog:        "untrusted log",
	CodeInvalidSignature:    "invalid signature",
	CodeQuorumMissed:        "quorum missed",
	CodeReproducersMissed:   "reproducers missed",
	CodeArtifactMismatch:    "artifact mismatch",
	CodeVerdictMismatch:     "verdict mismatch",
	CodeInvalidKey:          "invalid key",
	CodeInvalidPolicy:       "invalid policy",
	CodeGroupMismatch:       "group mismatch",
	CodeNotEvidence:         "not evidence",
	CodeNotReproduced:       "not reproduced",
	CodeInvalidReveal:       "invalid reveal",
	CodeInvalidSpec:         "invalid spec",
	CodeNotHandover:         "not a hand-over",
	CodeWrongEpoch:          "wrong epoch",
	CodeNullArgument:        "null argument",
	CodeUnknownFlag:         "unknown flag",
	CodeStructSize:          "struct size",
	CodeABIVersion:          "ABI version",
	CodeOutOfRange:          "out of range",
	CodeInvalidArgument:     "invalid argument",
}

// String returns the code's words, such as "quorum missed".
func (c Code) String() string {
	if text, ok := codeTexts[c]; ok {
		return text
	}
	return fmt.Sprintf("code %d", int32(c))
}

// Error makes a Code an error, so that errors.Is(err, CodeQuorumMissed) compiles.
func (c Code) Error() string {
	return "synchronicity: " + c.String()
}

// Is reports whether target is the class that the code belongs to: ErrMalformed or ErrNotVerified.
func (c Code) Is(target error) bool {
	switch target {
	case ErrMalformed:
		return c.isMalformed()
	case ErrNotVerified:
		return c < CodeNullArgument && !c.isMalformed()
	}
	return false
}

func (c Code) isMalformed() bool {
	switch c {
	case CodeMalformed, CodeTooLarge, CodeUnsupportedVersion, CodeInvalidKey, CodeInvalidPolicy:
		return true
	}
	return false
}

// Error is a refusal. Use errors.As for its fields, errors.Is with a Code, ErrNotVerified or ErrMalformed for its kind.
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
