package node

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// callKey finds a call's context behind those that were made from it.
type callKey struct{}

// callContext is cancelled when the library cancels or abandons the call, and when the call is answered. Only who asks
// for Done makes it look for that.
type callContext struct {
	context.Context
	cancel context.CancelFunc
	call   C.uintptr_t
	once   sync.Once
	mutex  sync.Mutex
	file   *os.File // what is waited for; nil before, and when the call is over
	isOver bool
}

func newCallContext(call C.uintptr_t) *callContext {
	base, cancel := context.WithCancel(context.Background())
	return &callContext{Context: base, cancel: cancel, call: call}
}

func (c *callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c
	}
	return c.Context.Value(key)
}

func (c *callContext) Err() error {
	if C.bridge_is_cancelled(c.call) != 0 {
		c.cancel()
	}
	return c.Context.Err()
}

func (c *callContext) Done() <-chan struct{} {
	c.once.Do(c.follow)
	return c.Context.Done()
}

// follow cancels the context when the call's descriptor becomes readable. The descriptor is not ours to read or to
// change, so that Go's poller waits for an epoll that holds it.
func (c *callContext) follow() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.isOver {
		return
	}
	descriptor := int(C.bridge_cancel_descriptor(c.call))
	if descriptor < 0 {
		c.cancel()
		return
	}
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		go c.look()
		return
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(descriptor)}
	if syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, descriptor, &event) != nil ||
		syscall.SetNonblock(epoll, true) != nil {
		syscall.Close(epoll)
		go c.look()
		return
	}
	c.file = os.NewFile(uintptr(epoll), "cancellation")
	connection, err := c.file.SyscallConn()
	if err != nil {
		go c.look()
		return
	}
	go func() {
		var events [1]syscall.EpollEvent
		err := connection.Read(func(epoll uintptr) bool {
			count, err := syscall.EpollWait(int(epoll), events[:], 0)
			return count > 0 || err != nil && err != syscall.EINTR
		})
		if err == nil {
			c.cancel()
		} else {
			// Closed, since the call is over; or not to be waited for.
			c.look()
		}
	}()
}

// look is for a process that has no descriptor to spare.
func (c *callContext) look() {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for c.Err() == nil {
		select {
		case <-ticker.C:
		case <-c.Context.Done():
		}
	}
}

// end is called before the call is answered.
func (c *callContext) end() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.isOver = true
	c.cancel()
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}

// answer ends a call in the C interface.
type answer func(call C.uintptr_t) C.sync_status

// serve runs a plugin's method on a goroutine of its own, where a panic or runtime.Goexit harms nobody else, and where
// processes can be started whose signals are not blocked. It returns when the call is answered.
func serve(call C.uintptr_t, method func(ctx *callContext) answer) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx := newCallContext(call)
		give := failed(errors.New("the plugin's method ended its goroutine instead of returning"))
		defer func() {
			ctx.end()
			status := give(call)
			if status != C.SYNC_OK && status != C.SYNC_ERROR_STATE {
				failed(fmt.Errorf("the plugin's answer was refused: %w", Code(status)))(call)
			}
		}()
		defer func() {
			if reason := recover(); reason != nil {
				give = failed(fmt.Errorf("the plugin's method panicked: %v", reason))
			}
		}()
		give = method(ctx)
	}()
	<-done
}

// failed answers with an error of a method.
func failed(err error) answer {
	code, message := PluginIO, said(err)
	if errors.Is(err, context.Canceled) {
		code = PluginCancelled
	}
	if errors.As(err, &code) && code <= 0 {
		code = PluginIO
	}
	return func(call C.uintptr_t) C.sync_status {
		raw := cSentence(message)
		defer C.free(unsafe.Pointer(raw))
		return C.bridge_fail(call, C.int32_t(code), raw)
	}
}

// said gives an error's text, also of one that cannot say what it is.
func said(err error) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("an error of type %T that has no text", err)
		}
	}()
	return err.Error()
}

// cSentence is a text for people in C, whatever it holds.
func cSentence(text string) *C.char {
	return C.CString(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", " "), "?"))
}

func finished(call C.uintptr_t) C.sync_status {
	return C.bridge_finish(call)
}

func doneOr(err error) answer {
	if err != nil {
		return failed(err)
	}
	return finished
}

func bytesOr(bytes []byte, err error) answer {
	if err != nil {
		return failed(err)
	}
	return func(call C.uintptr_t) C.sync_status {
		return C.bridge_finish_bytes(call, start(bytes), C.size_t(len(bytes)))
	}
}

// nothing is where no bytes begin, since NULL is not the same in C.
var nothing byte

func start(bytes []byte) unsafe.Pointer {
	if len(bytes) == 0 {
		return unsafe.Pointer(&nothing)
	}
	return unsafe.Pointer(&bytes[0])
}

func foundOr(found bool, err error) answer {
	if err == nil && !found {
		err = PluginNotFound
	}
	return doneOr(err)
}

func runOr(result RunResult, err error) answer {
	if err != nil {
		return failed(err)
	}
	return func(call C.uintptr_t) C.sync_status {
		return C.bridge_finish_run(call, C.int32_t(result.Ending), C.int32_t(result.Status),
			C.uint64_t(result.WallNanoseconds), C.uint64_t(result.CPUNanoseconds), C.uint64_t(result.MemoryPeakBytes))
	}
}

func findingsOr(findings []Finding, err error) answer {
	if err != nil {
		return failed(err)
	}
	return func(call C.uintptr_t) C.sync_status {
		for _, finding := range findings {
			if status := addFinding(call, finding); status != C.SYNC_OK {
				return status
			}
		}
		return finished(call)
	}
}

func addFinding(call C.uintptr_t, finding Finding) C.sync_status {
	name, detail := cSentence(finding.Name), cSentence(finding.Detail)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(detail))
	var mend *C.char
	if finding.Mend != "" {
		mend = cSentence(finding.Mend)
		defer C.free(unsafe.Pointer(mend))
	}
	return C.bridge_add_finding(call, flag(finding.Met), flag(finding.IsWeaker), name, detail, mend)
}

func flag(is bool) C.int32_t {
	if is {
		return 1
	}
	return 0
}

func linesOr(lines []string, err error) answer {
	if err != nil {
		return failed(err)
	}
	return func(call C.uintptr_t) C.sync_status {
		for _, line := range lines {
			raw := cSentence(line)
			status := C.bridge_add_text(call, raw)
			C.free(unsafe.Pointer(raw))
			if status != C.SYNC_OK {
				return status
			}
		}
		return finished(call)
	}
}

func recordsOr(records []Record, err error) answer {
	if err != nil {
		return failed(err)
	}
	return func(call C.uintptr_t) C.sync_status {
		for _, record := range records {
			status := C.bridge_add_record(
				call, start(record.Key), C.size_t(len(record.Key)), start(record.Value), C.size_t(len(record.Value)))
			if status == C.SYNC_ERROR_TOO_LARGE {
				// The answer is full; the rest is asked for.
				break
			}
			if status != C.SYNC_OK {
				return status
			}
		}
		return finished(call)
	}
}

// transcript is what a run prints.
type transcript struct {
	call  C.uintptr_t
	mutex sync.Mutex
}

func (t *transcript) Write(bytes []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	switch status := C.bridge_add_transcript(t.call, start(bytes), C.size_t(len(bytes))); status {
	case C.SYNC_OK:
		return len(bytes), nil
	case C.SYNC_ERROR_TOO_LARGE:
		return 0, ErrTranscriptFull
	case C.SYNC_ERROR_STATE:
		return 0, refuse(CodeState, "the run is over, and prints no more")
	default:
		return 0, Code(status)
	}
}
