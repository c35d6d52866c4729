package node

// #include "bridge.h"
import "C"

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
)

// PluginCode is how a method fails. As an error, also wrapped, it gives its call this code:
//
//	return fmt.Errorf("there is no such word: %w", node.PluginNotFound)
//
// Any other error counts as PluginIO, and context.Canceled as PluginCancelled.
type PluginCode int32

const (
	// PluginUnavailable: the host lacks something: a program, a permission, a kernel feature, a device.
	PluginUnavailable PluginCode = C.SYNC_PLUGIN_UNAVAILABLE
	// PluginNotFound: there is no such package, toolchain or record.
	PluginNotFound PluginCode = C.SYNC_PLUGIN_NOT_FOUND
	// PluginChecksumMismatch: bytes do not have the digest that was asked for.
	PluginChecksumMismatch PluginCode = C.SYNC_PLUGIN_CHECKSUM_MISMATCH
	// PluginInvalid: the request is malformed or out of bounds.
	PluginInvalid PluginCode = C.SYNC_PLUGIN_INVALID
	// PluginIO: reading or writing failed.
	PluginIO PluginCode = C.SYNC_PLUGIN_IO
	// PluginCancelled: the call was cancelled.
	PluginCancelled PluginCode = C.SYNC_PLUGIN_CANCELLED
)

// Error returns the code's words, such as "not found".
func (c PluginCode) Error() string {
	if text, ok := codeTexts[200+Code(c)]; ok {
		return text
	}
	return fmt.Sprintf("plugin code %d", int32(c))
}

// ErrTranscriptFull is what a run's transcript returns when the run has printed more than it may. What fits is kept,
// and the run is to end with TranscriptExceeded.
var ErrTranscriptFull = errors.New("synchronicity: the run has printed more than it may")

// CreateRequest says for whom an instance of a plugin is made: for a node, or for one epoch of it.
type CreateRequest struct {
	Node           string            // the builder's name in its group
	StateDirectory string            // made for this plugin; what it keeps between starts goes there
	Settings       map[string]string // [settings.NAME] of the configuration
}

// Sandbox runs programs, each alone, without network or sight of the host, bounded in everything. Methods run on
// goroutines of their own and overlap. Their context is cancelled when nobody waits for the answer any more; ten
// seconds later the call is abandoned.
//
// An instance that has a method Close() error is closed after its last method has returned; so for every plugin.
type Sandbox interface {
	// Probe checks what the host can do, without changing it; at least one finding. 60 s.
	Probe(ctx context.Context) ([]Finding, error)
	// Prepare unpacks a tar file, once, after checking its SHA-256. An hour.
	Prepare(ctx context.Context, toolchain, archive string) error
	// HasToolchain tells whether it is prepared. 60 s.
	HasToolchain(ctx context.Context, toolchain string) (bool, error)
	// Run runs to the end, and kills the whole tree when cancelled. A program that fails is a result, and only a fault
	// of the sandbox an error. What the program prints goes to the transcript, in the order in which it comes; it may
	// be written to by several goroutines until Run returns. RunRequest.WallSeconds and the setting patience-seconds,
	// which is 300 unless given.
	Run(ctx context.Context, request *RunRequest, transcript io.Writer) (RunResult, error)
}

// LeftoverRemover is what a Sandbox also is whose killed runs can leave something.
type LeftoverRemover interface {
	// RemoveLeftovers clears it away at each start of a node, before its first run; a line for each. Other nodes of the
	// host may run builds. Ten minutes.
	RemoveLeftovers(ctx context.Context) ([]string, error)
}

// Finding is one checked requirement of a sandbox.
type Finding struct {
	Name     string // what is checked, such as "user namespaces"
	Detail   string // what was found; when not met, what is wanted
	Met      bool
	IsWeaker bool   // met, but by less than a better host gives; Detail says what
	Mend     string // one line that would mend it, or ""
}

// Mount is a file or folder of the host that a run sees.
type Mount struct {
	HostPath   string
	InsidePath string
	Writable   bool
}

// RunRequest is one program to run.
type RunRequest struct {
	RunID            string   // 1 to 100 letters, digits, '-', '_', '.'; unique on this host
	Toolchain        string   // one that was prepared, in hexadecimal digits; its tree is the root
	Command          []string // absolute path inside, then the arguments
	Environment      []string // "NAME=value", the whole of it
	WorkingDirectory string
	Mounts           []Mount
	HostName         string // fixed inside
	ScratchDirectory string // a folder of the host for this run's private files
	WallSeconds      uint64 // the bounds, all at least 1
	CPUSeconds       uint64
	MemoryBytes      uint64
	Processes        uint64
	DiskBytes        uint64
	TranscriptBytes  uint64
}

// HostPath returns where on the host the mount of this path is, or "".
func (r *RunRequest) HostPath(insidePath string) string {
	for _, mount := range r.Mounts {
		if mount.InsidePath == insidePath {
			return mount.HostPath
		}
	}
	return ""
}

// Ending is how a run ended.
type Ending int32

const (
	Exited             Ending = C.SYNC_RUN_EXITED
	Signalled          Ending = C.SYNC_RUN_SIGNALLED
	WallTimeExceeded   Ending = C.SYNC_RUN_WALL_TIME_EXCEEDED
	CPUTimeExceeded    Ending = C.SYNC_RUN_CPU_TIME_EXCEEDED
	MemoryExceeded     Ending = C.SYNC_RUN_MEMORY_EXCEEDED
	ProcessesExceeded  Ending = C.SYNC_RUN_PROCESSES_EXCEEDED
	DiskExceeded       Ending = C.SYNC_RUN_DISK_EXCEEDED
	TranscriptExceeded Ending = C.SYNC_RUN_TRANSCRIPT_EXCEEDED
)

// RunResult is what a run gave.
type RunResult struct {
	Ending          Ending
	Status          int32  // exit status 0...255, or the signal's number 1...64; else 0
	WallNanoseconds uint64 // without the time in a queue
	CPUNanoseconds  uint64 // of the whole tree; 0 where it is not known
	MemoryPeakBytes uint64 // 0 where it is not known
}

// KeyRole is what a key signs.
type KeyRole int32

const (
	KeyLog       KeyRole = C.SYNC_KEY_LOG       // the log's checkpoints
	KeyCosigner  KeyRole = C.SYNC_KEY_COSIGNER  // cosignatures on checkpoints
	KeyBuilder   KeyRole = C.SYNC_KEY_BUILDER   // submissions, commitments, reveals, abstentions, hand-overs
	KeyConsensus KeyRole = C.SYNC_KEY_CONSENSUS // votes and timeouts
	KeyTransport KeyRole = C.SYNC_KEY_TRANSPORT // the connections between nodes
)

// String returns the role's word, such as "consensus".
func (r KeyRole) String() string {
	words := [...]string{"log", "cosigner", "builder", "consensus", "transport"}
	if r < 0 || int(r) >= len(words) {
		return "unknown"
	}
	return words[r]
}

// Signer keeps private keys and signs with them (Ed25519, RFC 8032).
type Signer interface {
	// PublicKey is asked once for each role. 10 s.
	PublicKey(ctx context.Context, role KeyRole) (ed25519.PublicKey, error)
	// Sign returns the 64 bytes of the signature of exactly this message. The node waits for it. 10 s.
	Sign(ctx context.Context, role KeyRole, message []byte) ([]byte, error)
}

// ResolveRequest is a package whose every input is to be pinned.
type ResolveRequest struct {
	Package                string // such as "pkg:cargo/itoa@1.0.1"
	Features               []string
	Programs               []string // these alone
	Library                bool     // the library, with the named programs
	WithoutDefaultFeatures bool
	Profile                string   // "": the package's choice
	Target                 string   // "": the toolchain's own host
	Toolchain              string   // the spec's, in hexadecimal digits
	Rebuild                uint64   // the spec's
	Normalise              []string // names, sorted, of what the recipe shall hold still
	ScratchDirectory       string   // a folder for this call
}

// FetchRequest is a source whose tree is wanted.
type FetchRequest struct {
	PURL       string
	Origin     string
	TreeSHA256 string // 64 hexadecimal digits
	Directory  string // absolute path; does not exist yet
}

// Source finds packages and fetches their sources.
type Source interface {
	// Resolve pins every input of a package: a build spec, as docs/FORMATS.md has it. An hour.
	Resolve(ctx context.Context, request *ResolveRequest) ([]byte, error)
	// Fetch puts a source's tree into the directory; its digest is checked by the node. An hour.
	Fetch(ctx context.Context, request *FetchRequest) error
}

// Record is a key with its value.
type Record struct {
	Key   []byte
	Value []byte
}

// Change is a record to put, or a key to delete where Value is nil. A value of no bytes is not nil.
type Change struct {
	Key   []byte
	Value []byte
}

// Storage is one ordered map from byte strings to byte strings, on a disk. The node waits for each call, one at a time:
// a minute behind its start the node ends with an error.
type Storage interface {
	// Get returns the value, or nil where there is none. A value of no bytes is not nil.
	Get(ctx context.Context, key []byte) ([]byte, error)
	// Scan returns the records whose keys begin with the prefix and are not below start, ascending, at most so many.
	Scan(ctx context.Context, prefix, start []byte, limit uint64) ([]Record, error)
	// Apply makes all changes or none, in this order; where durable, they survive a power cut once it returns, with all
	// that was applied before.
	Apply(ctx context.Context, changes []Change, durable bool) error
}
