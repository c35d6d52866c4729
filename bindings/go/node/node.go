package node

// #cgo LDFLAGS: -lsync
// #include "bridge.h"
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"
)

// slice is how long one wait in C lasts; between them a context is looked at.
const slice = 50 * time.Millisecond

// LogLevel is how much a line of the log matters.
type LogLevel int32

const (
	LogDebug    LogLevel = C.SYNC_LOG_DEBUG
	LogInfo     LogLevel = C.SYNC_LOG_INFO
	LogNotice   LogLevel = C.SYNC_LOG_NOTICE
	LogWarning  LogLevel = C.SYNC_LOG_WARNING
	LogError    LogLevel = C.SYNC_LOG_ERROR
	LogCritical LogLevel = C.SYNC_LOG_CRITICAL
)

// String returns the level's word, such as "warning".
func (l LogLevel) String() string {
	words := [...]string{"unknown", "debug", "info", "notice", "warning", "error", "critical"}
	if l < 0 || int(l) >= len(words) {
		return words[0]
	}
	return words[l]
}

// Options is what New and Load take besides the configuration. Nil is the same as its zero value.
type Options struct {
	// Registry has the plugins that the configuration chooses beside those that are built in.
	Registry *Registry
	// Log gets the node's log, line by line, from one goroutine, until Close returns. Of more than 4,096 lines that
	// wait, the newest are dropped. It must not close or stop the node, and not end its goroutine.
	Log func(level LogLevel, line string)
	// IsRestored, for one start: the data folder was put back from an older copy, or is new although this builder has
	// signed before.
	IsRestored bool
}

// Node is a whole builder in this process. All methods may be called from many goroutines at once.
type Node struct {
	log    cgo.Handle // 0 for none
	closed chan struct{}
	ending error // of its own, once closed

	mutex     sync.Mutex
	changed   sync.Cond
	raw       *C.sync_node
	users     int
	isClosing bool
}

// New reads a configuration, as `synchronicity node run` takes it, and the group file that it names; nothing else is
// touched. Its gateway is not served: that is the program's. folder is what relative paths are relative to, "" the
// working folder.
func New(configuration, folder string, options *Options) (*Node, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	if options == nil {
		options = &Options{}
	}
	absolute, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("the folder %q: %w", folder, err)
	}
	var strings texts
	defer strings.free()
	rawFolder, err := strings.add("the folder", absolute)
	if err != nil {
		return nil, err
	}
	var registry *C.sync_registry
	if options.Registry != nil {
		// Not closed meanwhile.
		options.Registry.mutex.Lock()
		defer options.Registry.mutex.Unlock()
		if registry = options.Registry.raw; registry == nil {
			return nil, ErrClosed
		}
	}
	node := &Node{closed: make(chan struct{})}
	node.changed.L = &node.mutex
	if options.Log != nil {
		node.log = cgo.NewHandle(options.Log)
		held.logs.Add(1)
	}
	text := C.CString(configuration)
	defer C.free(unsafe.Pointer(text))
	var failure *C.sync_error
	status := C.bridge_node_create(text, C.size_t(len(configuration)), rawFolder, registry, C.uintptr_t(node.log),
		flag(options.IsRestored), &node.raw, &failure)
	if err := takeError(status, failure); err != nil {
		node.forgetLog()
		return nil, err
	}
	return node, nil
}

// Load is New with a configuration file, in whose folder relative paths begin.
func Load(path string, options *Options) (*Node, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// A longer one is refused by New.
	text, err := io.ReadAll(io.LimitReader(file, C.SYNC_CONFIGURATION_BYTES_MAX+1))
	if err != nil {
		return nil, err
	}
	return New(string(text), filepath.Dir(path), options)
}

func (n *Node) forgetLog() {
	if n.log != 0 {
		n.log.Delete()
		held.logs.Add(-1)
		n.log = 0
	}
}

// ---- Its life ----

// Start opens keys, journal and plugins, listens, and begins to take part; it returns when it does. A node is started
// once.
func (n *Node) Start() error {
	raw, err := n.use()
	if err != nil {
		return err
	}
	defer n.release()
	var failure *C.sync_error
	return takeError(C.sync_node_start(raw, &failure), failure)
}

// Stop ends the node, in every state: builds are killed and begin anew at the next start; nothing is lost. It returns
// when all is closed, or when the context ends, and then the node goes on ending. The error is otherwise the one with
// which the node ended by itself, or did not start. With the context of a plugin's call it is refused: the node would
// wait for the call.
func (n *Node) Stop(ctx context.Context) error {
	if ctx.Value(callKey{}) != nil {
		return refuse(CodeState, "a plugin's method cannot stop a node, which waits for it: do it from another goroutine")
	}
	return n.wait(ctx, func(raw *C.sync_node, timeout C.uint64_t, failure **C.sync_error) C.sync_status {
		return C.sync_node_stop(raw, timeout, failure)
	})
}

// Close stops the node, waits for that, and frees it. Whoever waits in another of its methods gets an error. The error
// is the one with which the node ended by itself, or did not start; a second Close gives the same. One that starts is
// waited for, up to the 60 s that making a plugin's instance may take. From a plugin's method it takes as long as the
// node waits for one that does not return, some twenty seconds; the log's function gets an error, and nothing happens.
func (n *Node) Close() error {
	if C.bridge_is_in_log() != 0 {
		return refuse(CodeState, "the log's function cannot close the node, which waits for it: do it elsewhere")
	}
	n.mutex.Lock()
	if n.isClosing {
		n.mutex.Unlock()
		<-n.closed
		return n.ending
	}
	n.isClosing = true
	raw := n.raw
	n.mutex.Unlock()

	var failure *C.sync_error
	n.ending = takeError(C.sync_node_stop(raw, C.SYNC_FOREVER, &failure), failure)
	n.mutex.Lock()
	for n.users > 0 {
		// They get an error, since the node has ended.
		n.changed.Wait()
	}
	n.raw = nil
	n.mutex.Unlock()
	C.sync_node_destroy(raw)
	n.forgetLog()
	close(n.closed)
	return n.ending
}

// use keeps the node from being freed until release.
func (n *Node) use() (*C.sync_node, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.isClosing {
		return nil, ErrClosed
	}
	n.users++
	return n.raw, nil
}

func (n *Node) release() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.users--
	n.changed.Broadcast()
}

// wait calls a function that waits, in slices, until it is done or the context is.
func (n *Node) wait(
	ctx context.Context, call func(raw *C.sync_node, timeout C.uint64_t, failure **C.sync_error) C.sync_status,
) error {
	raw, err := n.use()
	if err != nil {
		return err
	}
	defer n.release()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		timeout := slice
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < timeout {
			timeout = time.Until(deadline)
			if timeout < time.Millisecond {
				timeout = time.Millisecond
			}
		}
		var failure *C.sync_error
		status := call(raw, C.uint64_t(timeout), &failure)
		err := takeError(status, failure)
		if status != C.SYNC_ERROR_TIMED_OUT {
			return err
		}
	}
}

// ---- At a glance ----

// State is where a node is in its life.
type State int32

const (
	Created  State = C.SYNC_NODE_CREATED
	Running  State = C.SYNC_NODE_RUNNING
	Stopping State = C.SYNC_NODE_STOPPING
	Stopped  State = C.SYNC_NODE_STOPPED
)

// String returns the state's word, such as "running".
func (s State) String() string {
	words := [...]string{"created", "running", "stopping", "stopped"}
	if s < 0 || int(s) >= len(words) {
		return "unknown"
	}
	return words[s]
}

// Status is a node at a glance. Where State is not Running, the rest is zero.
type Status struct {
	State          State
	IsObserving    bool // signs nothing, since its journal may be older than what it has signed
	Epoch          uint64
	View           uint64
	Height         uint64 // of the last decided block
	LogSize        uint64
	CheckpointSize uint64 // of the newest checkpoint that a quorum has cosigned
	OpenJobs       int
	ConnectedPeers int
	Replicas       int
	Quorum         int
}

// Status returns it.
func (n *Node) Status() (Status, error) {
	raw, err := n.use()
	if err != nil {
		return Status{}, err
	}
	defer n.release()
	found := C.sync_node_status{struct_size: C.sizeof_sync_node_status, abi_version: C.SYNC_ABI_VERSION}
	var failure *C.sync_error
	if err := takeError(C.sync_node_get_status(raw, &found, &failure), failure); err != nil {
		return Status{}, err
	}
	return Status{
		State:          State(found.state),
		IsObserving:    found.is_observing != 0,
		Epoch:          uint64(found.epoch),
		View:           uint64(found.view),
		Height:         uint64(found.height),
		LogSize:        uint64(found.log_size),
		CheckpointSize: uint64(found.checkpoint_size),
		OpenJobs:       int(found.open_jobs),
		ConnectedPeers: int(found.connected_peers),
		Replicas:       int(found.replicas),
		Quorum:         int(found.quorum),
	}, nil
}

// StatusJSON returns the same and more, as the gateway's /v1/status gives it: one JSON object.
func (n *Node) StatusJSON() (json.RawMessage, error) {
	raw, err := n.use()
	if err != nil {
		return nil, err
	}
	defer n.release()
	var created *C.sync_bytes
	var failure *C.sync_error
	if err := takeError(C.sync_node_copy_status_json(raw, &created, &failure), failure); err != nil {
		return nil, err
	}
	return takeBytes(created), nil
}

// Drain waits until the node has no open job, or the context ends. Whoever wants it to stay so submits no more: other
// members may.
func (n *Node) Drain(ctx context.Context) error {
	return n.wait(ctx, func(raw *C.sync_node, timeout C.uint64_t, failure **C.sync_error) C.sync_status {
		return C.sync_node_drain(raw, timeout, failure)
	})
}
