package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"synchronicity.example/synchronicity/node"
)

// protocol is the contract with the command that isolates a build: docs/EXEC_SANDBOX.md.
const protocol = "synchronicity-exec/1"

// resultBytesMax is the longest answer of the command.
const resultBytesMax = 65536

// grace is what the command has to undo what it made, once it is told to stop: less than the node waits.
const grace = 8 * time.Second

// cleanLimit is what clearing away may take.
const cleanLimit = time.Minute

// Runner calls the command that runs builds, such as sync-exec-bwrap. Each call is one process: on this host here, on
// whichever host is free where a farm is larger.
type Runner struct {
	Command string
}

// request is what the command gets on its standard input.
type request struct {
	Protocol         string     `json:"protocol"`
	Verb             string     `json:"verb"`
	RunID            string     `json:"runID"`
	ResultFile       string     `json:"resultFile"`
	ScratchFolder    string     `json:"scratchFolder"`
	Toolchain        *toolchain `json:"toolchain,omitempty"`
	Archive          string     `json:"archive,omitempty"`
	Command          []string   `json:"command,omitempty"`
	Environment      []variable `json:"environment,omitempty"`
	WorkingDirectory string     `json:"workingDirectory,omitempty"`
	Mounts           []mount    `json:"mounts,omitempty"`
	Limits           *limits    `json:"limits,omitempty"`
	HostName         string     `json:"hostName,omitempty"`
}

type toolchain struct {
	Digest string `json:"digest"`
	Folder string `json:"folder"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type mount struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	Writable bool   `json:"writable"`
}

type limits struct {
	WallSeconds     uint64 `json:"wallSeconds"`
	CPUSeconds      uint64 `json:"cpuSeconds"`
	MemoryBytes     uint64 `json:"memoryBytes"`
	Processes       uint64 `json:"processes"`
	DiskBytes       uint64 `json:"diskBytes"`
	TranscriptBytes uint64 `json:"transcriptBytes"`
}

// result is what the command answers in its file.
type result struct {
	Protocol string `json:"protocol"`
	Verb     string `json:"verb"`
	RunID    string `json:"runID"`

	Fault   string `json:"fault"` // in place of everything below
	Message string `json:"message"`

	Findings []struct {
		Name   string `json:"name"`
		Met    bool   `json:"met"`
		Detail string `json:"detail"`
	} `json:"findings"`

	Ready   bool `json:"ready"`
	Cleaned bool `json:"cleaned"`

	End             string `json:"end"`
	Status          int32  `json:"status"`
	Signal          int32  `json:"signal"`
	WallNanoseconds uint64 `json:"wallNanoseconds"`
	CPUNanoseconds  uint64 `json:"cpuNanoseconds"`
	MemoryPeakBytes uint64 `json:"memoryPeakBytes"`
}

// faults are the protocol's words for what says nothing about the build.
var faults = map[string]node.PluginCode{
	"unavailable":      node.PluginUnavailable,
	"io":               node.PluginIO,
	"cancelled":        node.PluginCancelled,
	"invalid":          node.PluginInvalid,
	"notFound":         node.PluginNotFound,
	"checksumMismatch": node.PluginChecksumMismatch,
}

// endings are the protocol's words for how a run ended.
var endings = map[string]node.Ending{
	"exited":     node.Exited,
	"signalled":  node.Signalled,
	"wall":       node.WallTimeExceeded,
	"cpu":        node.CPUTimeExceeded,
	"memory":     node.MemoryExceeded,
	"processes":  node.ProcessesExceeded,
	"disk":       node.DiskExceeded,
	"transcript": node.TranscriptExceeded,
}

// Call runs the command once, in a folder that is its alone. What it prints goes to output. When the context ends it is
// told to stop, and killed if it does not.
func (r *Runner) Call(ctx context.Context, folder string, asked request, output io.Writer) (*result, error) {
	asked.Protocol = protocol
	asked.ResultFile = filepath.Join(folder, "result", "answer.json")
	asked.ScratchFolder = filepath.Join(folder, "scratch")
	for _, made := range []string{filepath.Dir(asked.ResultFile), asked.ScratchFolder} {
		if err := os.MkdirAll(made, 0o700); err != nil {
			return nil, err
		}
	}
	line, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	if err := r.run(ctx, asked.Verb, append(line, '\n'), output); err != nil {
		return nil, err
	}
	return readResult(&asked)
}

func (r *Runner) run(ctx context.Context, verb string, line []byte, output io.Writer) error {
	command := exec.Command(r.Command, verb)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C.UTF-8"}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stop := make(chan struct{})
	command.Stdout = &fullStop{writer: output, stop: func() { close(stop) }}
	var complaint lastWords
	command.Stderr = &complaint
	lifeline, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("%v: %w", err, node.PluginUnavailable)
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("%v: %w", err, node.PluginUnavailable)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	// A command that ends without reading it is told of below.
	go lifeline.Write(line)
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = end(command, lifeline, ended)
	case <-stop:
		err = end(command, lifeline, ended)
	}
	// What it has left running in its group.
	syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %v: %s", r.Command, verb, err, complaint.text())
	}
	return nil
}

// end lets go of the lifeline, and kills who does not heed that.
func end(command *exec.Cmd, lifeline io.Closer, ended <-chan error) error {
	lifeline.Close()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		return <-ended
	}
}

// readResult reads the answer, and checks that it is one to this call.
func readResult(asked *request) (*result, error) {
	info, err := os.Lstat(asked.ResultFile)
	if err != nil {
		return nil, fmt.Errorf("the command gave no result: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > resultBytesMax {
		return nil, fmt.Errorf("the command's result is no file of at most %d bytes", resultBytesMax)
	}
	text, err := os.ReadFile(asked.ResultFile)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var told result
	if err := decoder.Decode(&told); err != nil {
		return nil, fmt.Errorf("the command's result is malformed: %w", err)
	}
	if told.Protocol != protocol || told.Verb != asked.Verb || told.RunID != asked.RunID {
		return nil, fmt.Errorf("the command's result is of %s %s of the run %q, not of %s %s of %q",
			told.Protocol, told.Verb, told.RunID, protocol, asked.Verb, asked.RunID)
	}
	if told.Fault != "" {
		code, ok := faults[told.Fault]
		if !ok {
			return nil, fmt.Errorf("the command tells a fault %q, which there is not: %s", told.Fault, told.Message)
		}
		return nil, fmt.Errorf("%s: %w", told.Message, code)
	}
	return &told, nil
}

// runResult reads how a run ended.
func (r *result) runResult() (node.RunResult, error) {
	ending, ok := endings[r.End]
	if !ok {
		return node.RunResult{}, fmt.Errorf("the command tells an end %q, which there is not", r.End)
	}
	status := r.Status
	if ending == node.Signalled {
		status = r.Signal
	}
	return node.RunResult{
		Ending:          ending,
		Status:          status,
		WallNanoseconds: r.WallNanoseconds,
		CPUNanoseconds:  r.CPUNanoseconds,
		MemoryPeakBytes: r.MemoryPeakBytes,
	}, nil
}

// fullStop passes on what is printed, until that is refused: then it stops the command, and reads on.
type fullStop struct {
	writer io.Writer
	stop   func()
	isFull bool
}

func (f *fullStop) Write(piece []byte) (int, error) {
	if !f.isFull {
		if _, err := f.writer.Write(piece); err != nil {
			f.isFull = true
			f.stop()
		}
	}
	return len(piece), nil
}

// lastWords keeps the end of what a command complains of.
type lastWords struct {
	kept []byte
}

func (l *lastWords) Write(piece []byte) (int, error) {
	l.kept = append(l.kept, piece...)
	if excess := len(l.kept) - 2000; excess > 0 {
		l.kept = append([]byte{}, l.kept[excess:]...)
	}
	return len(piece), nil
}

func (l *lastWords) text() string {
	lines := strings.Split(strings.TrimSpace(string(l.kept)), "\n")
	return lines[len(lines)-1]
}

// isBusy tells a farm that has no place.
func isBusy(err error) bool {
	return errors.Is(err, errQueueFull) || errors.Is(err, errQueueClosed)
}
