package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"synchronicity.example/synchronicity/node"
)

// preparePriority is above every build's: nothing else of the node's can run before a toolchain is there.
const preparePriority = 1000

// sandbox hands what the node asks for to the farm's queue. In its folder lie
//
//	toolchains/DIGEST        what the command has made of a toolchain
//	toolchains/DIGEST.ready  says that it is whole
//	runs/RUN-ID              a run's folder, locked while the run lives
type sandbox struct {
	queue    *Queue
	runner   *Runner
	folder   string
	priority int
}

// newSandbox makes the node's instance. The setting priority is that of its builds in the farm's queue.
func newSandbox(queue *Queue, runner *Runner, request *node.CreateRequest) (*sandbox, error) {
	s := &sandbox{queue: queue, runner: runner, folder: request.StateDirectory}
	for name, value := range request.Settings {
		var err error
		switch name {
		case "patience-seconds": // the node's own
		case "priority":
			s.priority, err = strconv.Atoi(value)
		default:
			err = fmt.Errorf("priority is the only one")
		}
		if err != nil {
			return nil, fmt.Errorf("[settings.farm] %s = %q: %v: %w", name, value, err, node.PluginInvalid)
		}
	}
	for _, name := range []string{"toolchains", "runs"} {
		if err := os.MkdirAll(filepath.Join(s.folder, name), 0o755); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// do has a worker do it, and waits for that.
func (s *sandbox) do(ctx context.Context, name string, priority int, work func(ctx context.Context) error) error {
	var err error
	task := Task{Name: name, Priority: priority, Work: func(ctx context.Context) {
		// A panic of the farm's own costs the task and not the worker.
		defer func() {
			if reason := recover(); reason != nil {
				err = fmt.Errorf("%s panicked: %v", name, reason)
			}
		}()
		err = work(ctx)
	}}
	if refusal := s.queue.Do(ctx, task); refusal != nil {
		if isBusy(refusal) {
			// The node tries again, as long as the job has time.
			return fmt.Errorf("%v: %w", refusal, node.PluginUnavailable)
		}
		return refusal
	}
	return err
}

func (s *sandbox) Probe(ctx context.Context) ([]node.Finding, error) {
	folder, err := os.MkdirTemp(s.folder, "probe-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	told, err := s.runner.Call(ctx, folder, request{Verb: "probe", RunID: filepath.Base(folder)}, io.Discard)
	if err != nil {
		return nil, err
	}
	findings := []node.Finding{{Name: "farm", Met: true, Detail: fmt.Sprintf("builds by %s", s.runner.Command)}}
	for _, found := range told.Findings {
		findings = append(findings, node.Finding{Name: found.Name, Met: found.Met, Detail: found.Detail})
	}
	return findings, nil
}

func (s *sandbox) toolchain(digest string) *toolchain {
	return &toolchain{Digest: digest, Folder: filepath.Join(s.folder, "toolchains", digest)}
}

func (s *sandbox) HasToolchain(ctx context.Context, digest string) (bool, error) {
	_, err := os.Stat(s.toolchain(digest).Folder + ".ready")
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

func (s *sandbox) Prepare(ctx context.Context, digest, archive string) error {
	return s.do(ctx, "toolchain "+digest[:8], preparePriority, func(ctx context.Context) error {
		// One at a time, also of other instances.
		lock, err := lockFile(filepath.Join(s.folder, "toolchains", "lock"), syscall.LOCK_EX)
		if err != nil {
			return err
		}
		defer lock.Close()
		if is, err := s.HasToolchain(ctx, digest); is || err != nil {
			return err
		}
		unpacked := s.toolchain(digest)
		// What was not unpacked to its end.
		if err := os.RemoveAll(unpacked.Folder); err != nil {
			return err
		}
		if err := os.Mkdir(unpacked.Folder, 0o755); err != nil {
			return err
		}
		folder, err := os.MkdirTemp(s.folder, "prepare-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		told, err := s.runner.Call(ctx, folder, request{
			Verb: "prepare", RunID: filepath.Base(folder), Toolchain: unpacked, Archive: archive}, io.Discard)
		if err != nil {
			return err
		}
		if !told.Ready {
			return fmt.Errorf("the command has not prepared the toolchain %s", digest)
		}
		return os.WriteFile(unpacked.Folder+".ready", nil, 0o644)
	})
}

func (s *sandbox) Run(ctx context.Context, asked *node.RunRequest, transcript io.Writer) (node.RunResult, error) {
	var ended node.RunResult
	err := s.do(ctx, "run "+asked.RunID, s.priority, func(ctx context.Context) (err error) {
		ended, err = s.run(ctx, asked, transcript)
		return err
	})
	return ended, err
}

// run is what a worker does.
func (s *sandbox) run(ctx context.Context, asked *node.RunRequest, transcript io.Writer) (node.RunResult, error) {
	folder := filepath.Join(s.folder, "runs", asked.RunID)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return node.RunResult{}, err
	}
	lock, err := lockFile(filepath.Join(folder, "lock"), syscall.LOCK_EX)
	if err != nil {
		return node.RunResult{}, err
	}
	defer lock.Close()
	// A node that starts meanwhile may have cleared it away before it was locked.
	if _, err := os.Stat(lock.Name()); err != nil {
		return node.RunResult{}, fmt.Errorf("the run's folder was cleared away; it is to be tried again: %w", err)
	}
	full := &watched{writer: transcript}
	told, err := s.runner.Call(ctx, folder, s.runOrder(asked), full)
	if err != nil || full.err != nil {
		// The command was killed, or failed: what it made may be there still.
		if err := s.clean(folder); err != nil {
			return node.RunResult{}, err
		}
		if full.err == node.ErrTranscriptFull && ctx.Err() == nil {
			return node.RunResult{Ending: node.TranscriptExceeded}, nil
		}
		return node.RunResult{}, err
	}
	if err := os.RemoveAll(folder); err != nil {
		return node.RunResult{}, err
	}
	return told.runResult()
}

func (s *sandbox) runOrder(asked *node.RunRequest) request {
	order := request{
		Verb:             "run",
		RunID:            asked.RunID,
		Toolchain:        s.toolchain(asked.Toolchain),
		Command:          asked.Command,
		Environment:      []variable{},
		WorkingDirectory: asked.WorkingDirectory,
		HostName:         asked.HostName,
		Limits: &limits{
			WallSeconds:     asked.WallSeconds,
			CPUSeconds:      asked.CPUSeconds,
			MemoryBytes:     asked.MemoryBytes,
			Processes:       asked.Processes,
			DiskBytes:       asked.DiskBytes,
			TranscriptBytes: asked.TranscriptBytes,
		},
	}
	for _, text := range asked.Environment {
		name, value, _ := strings.Cut(text, "=")
		order.Environment = append(order.Environment, variable{name, value})
	}
	for _, given := range asked.Mounts {
		order.Mounts = append(order.Mounts, mount{given.HostPath, given.InsidePath, given.Writable})
	}
	return order
}

// clean has the command undo what a run has left, and removes its folder. It is not cancelled with the run.
func (s *sandbox) clean(folder string) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
	defer cancel()
	if err := os.RemoveAll(filepath.Join(folder, "result")); err != nil {
		return err
	}
	order := request{Verb: "clean", RunID: filepath.Base(folder)}
	told, err := s.runner.Call(ctx, folder, order, io.Discard)
	if err != nil {
		return fmt.Errorf("what the run %s has left cannot be cleared away: %w", filepath.Base(folder), err)
	}
	if !told.Cleaned {
		return fmt.Errorf("the command has not cleared away what the run %s has left", filepath.Base(folder))
	}
	return os.RemoveAll(folder)
}

// RemoveLeftovers clears away the runs of a farm that was killed.
func (s *sandbox) RemoveLeftovers(ctx context.Context) ([]string, error) {
	folders, err := os.ReadDir(filepath.Join(s.folder, "runs"))
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, entry := range folders {
		folder := filepath.Join(s.folder, "runs", entry.Name())
		lock, err := lockFile(filepath.Join(folder, "lock"), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == syscall.EWOULDBLOCK {
			continue // It goes on.
		}
		if err != nil {
			return nil, err
		}
		err = s.clean(folder)
		lock.Close()
		if err != nil {
			return nil, err
		}
		lines = append(lines, "the run "+entry.Name())
	}
	return lines, nil
}

// lockFile opens and locks a file; closing it lets go.
func lockFile(path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// watched remembers why the transcript took no more.
type watched struct {
	writer io.Writer
	err    error
}

func (w *watched) Write(piece []byte) (int, error) {
	count, err := w.writer.Write(piece)
	if err != nil {
		w.err = err
	}
	return count, err
}
