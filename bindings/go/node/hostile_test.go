package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"synchronicity.example/synchronicity/node"
)

// mute is an error that cannot say what it is.
type mute struct{}

func (mute) Error() string { panic("no text") }

// TestHostile has tests that take their time, at once.
func TestHostile(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		t.Run("ways", hostileWays)
		t.Run("close", closeFromWithin)
		t.Run("resolver", closeOverStuckResolver)
	})
	settles(t)
}

// hostileWays checks that each way in which a sandbox can fail costs one job, and not the node.
func hostileWays(t *testing.T) {
	t.Parallel()
	folder := makeGroup(t, names[:1], nil, "--commit-seconds", "15", "--reveal-seconds", "12")
	var cancelled, deaf atomic.Int64
	heard := make(chan struct{})
	late := make(chan error, 100)
	ways := []struct {
		word     string
		verdict  node.Verdict
		sentence string // of the log
		misdeed  misdeed
	}{
		{"panic", node.VerdictInconclusive, "the plugin's method panicked: no text   at all",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				panic("no text \x00 at all")
			}},
		{"nil", node.VerdictInconclusive, "nil pointer dereference",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				var request *node.RunRequest
				return node.RunResult{}, errors.New(request.RunID)
			}},
		{"goexit", node.VerdictInconclusive, "ended its goroutine instead of returning",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				runtime.Goexit()
				return node.RunResult{}, nil
			}},
		{"error", node.VerdictInconclusive, "This sandbox will not: unavailable",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				return node.RunResult{}, fmt.Errorf("This sandbox\nwill not: %w", node.PluginUnavailable)
			}},
		{"mute", node.VerdictInconclusive, "an error of type node_test.mute that has no text",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				return node.RunResult{}, mute{}
			}},
		{"number", node.VerdictInconclusive, "4711",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				return node.RunResult{}, node.PluginCode(4711)
			}},
		{"fine-code", node.VerdictInconclusive, "(run) failed",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				return node.RunResult{}, node.PluginCode(0)
			}},
		{"ending", node.VerdictInconclusive, "the ending 99",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				return node.RunResult{Ending: 99}, nil
			}},
		{"status", node.VerdictInconclusive, "256",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				return node.RunResult{Status: 256}, nil
			}},
		{"blocked", node.VerdictInconclusive, "gave no answer in 2 s",
			func(ctx context.Context, _ *node.RunRequest, transcript io.Writer) (node.RunResult, error) {
				derived, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				<-derived.Done()
				if ctx.Err() == context.Canceled && derived.Err() == context.Canceled {
					cancelled.Add(1)
				}
				_, err := transcript.Write([]byte("too late"))
				late <- err
				return node.RunResult{}, ctx.Err()
			}},
		// Looks, instead of waiting for it.
		{"looking", node.VerdictInconclusive, "gave no answer in 2 s",
			func(ctx context.Context, _ *node.RunRequest, _ io.Writer) (node.RunResult, error) {
				for ctx.Err() == nil {
					time.Sleep(10 * time.Millisecond)
				}
				cancelled.Add(1)
				return node.RunResult{}, nil
			}},
		// Does not heed that, and so returns far behind its job.
		{"deaf", node.VerdictInconclusive, "gave no answer in 2 s",
			func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
				deaf.Add(1)
				<-heard
				return node.RunResult{}, nil
			}},
		{"hangs", node.VerdictFailed, "", nil},
		{"dies", node.VerdictFailed, "", nil},
		{"prints", node.VerdictFailed, "", nil},
		{"fine", node.VerdictReproduced, "", nil},
	}
	made := &plugins{misdeeds: map[string]misdeed{}}
	for _, way := range ways {
		if way.misdeed != nil {
			made.misdeeds[way.word] = way.misdeed
		}
	}
	log := &journal{}
	registry := made.registry(t)
	builder := must(node.New(
		configuration(t, filepath.Join(folder, "alder"), "[settings.go-shell]\npatience-seconds = 1\n"),
		filepath.Join(folder, "alder"), &node.Options{Registry: registry, Log: log.add}))(t)
	defer builder.Close()
	check(t, registry.Close())
	check(t, builder.Start())
	ctx := within(t, 50*time.Second)
	jobs := make([]node.Digest, len(ways))
	for i, way := range ways {
		jobs[i] = must(builder.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/" + way.word + "@1"}))(t)
	}
	for i, way := range ways {
		done, err := builder.Wait(ctx, jobs[i], node.PhaseCosigned)
		if err != nil || done.Verdict != way.verdict {
			t.Errorf("%s: %+v, %v", way.word, done, err)
		}
		if !strings.Contains(log.text(), way.sentence) {
			t.Errorf("%s: nothing says %q in\n%s", way.word, way.sentence, log.text())
		}
	}
	check(t, builder.Drain(ctx))
	if state := must(builder.Status())(t).State; state != node.Running {
		t.Errorf("the node is %v", state)
	}
	// A fault is tried again, as long as there is time.
	if cancelled.Load() < 2 || deaf.Load() < 1 {
		t.Errorf("%d calls heard that they were cancelled, %d did not", cancelled.Load(), deaf.Load())
	}
	refused(t, <-late, node.CodeState, "the run is over")
	close(heard)
	check(t, builder.Close())
}

// TestCancelledRun checks that a node that stops kills its builds.
func TestCancelledRun(t *testing.T) {
	folder := makeGroup(t, names[:1], nil)
	begun, ended := make(chan struct{}), make(chan error, 1)
	made := &plugins{misdeeds: map[string]misdeed{
		"fine": func(ctx context.Context, _ *node.RunRequest, _ io.Writer) (node.RunResult, error) {
			close(begun)
			<-ctx.Done()
			ended <- ctx.Err()
			return node.RunResult{}, ctx.Err()
		},
	}}
	builder := made.load(t, folder, "alder", nil)
	check(t, builder.Start())
	must(builder.Submit(within(t, 30*time.Second), &node.SubmitRequest{Package: "pkg:words/fine@1"}))(t)
	<-begun
	if err := builder.Drain(within(t, 50*time.Millisecond)); err != context.DeadlineExceeded {
		t.Errorf("a job is open, and draining says %v", err)
	}
	before := time.Now()
	check(t, builder.Close())
	if err := <-ended; err != context.Canceled {
		t.Errorf("the run's context says %v", err)
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("closing took %v", took)
	}
	settles(t)
}

// TestFromWithin checks what a plugin's method and the log's function may ask for: anything but the node's end.
func TestFromWithin(t *testing.T) {
	folder := makeGroup(t, names[:1], nil)
	var builder *node.Node
	told := make(chan error, 4)
	made := &plugins{misdeeds: map[string]misdeed{
		"fine": func(ctx context.Context, _ *node.RunRequest, _ io.Writer) (node.RunResult, error) {
			status, err := builder.Status()
			if err == nil && status.OpenJobs != 1 {
				err = fmt.Errorf("%+v", status)
			}
			derived, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			told <- err
			told <- builder.Stop(derived)
			return node.RunResult{Status: 1}, nil
		},
	}}
	inLog := make(chan error, 1)
	registry := made.registry(t)
	builder = must(node.Load(filepath.Join(folder, "alder", "config.toml"), &node.Options{
		Registry: registry,
		Log: func(level node.LogLevel, line string) {
			if strings.Contains(line, "Started") {
				inLog <- builder.Close()
			}
		},
	}))(t)
	defer builder.Close()
	check(t, registry.Close())
	check(t, builder.Start())
	refused(t, <-inLog, node.CodeState, "the log's function")
	ctx := within(t, 30*time.Second)
	job := must(builder.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/fine@1"}))(t)
	if done := must(builder.Wait(ctx, job, node.PhaseCosigned))(t); done.Verdict != node.VerdictFailed {
		t.Errorf("%+v", done)
	}
	check(t, <-told)
	refused(t, <-told, node.CodeState, "a plugin's method")
	check(t, builder.Close())
	settles(t)
}

// closeFromWithin checks that even who must not close the node does not hang.
func closeFromWithin(t *testing.T) {
	t.Parallel()
	folder := makeGroup(t, names[:1], nil)
	var builder *node.Node
	closed := make(chan error, 1)
	made := &plugins{misdeeds: map[string]misdeed{
		"fine": func(context.Context, *node.RunRequest, io.Writer) (node.RunResult, error) {
			closed <- builder.Close()
			return node.RunResult{}, nil
		},
	}}
	builder = made.load(t, folder, "alder", nil)
	check(t, builder.Start())
	begun := time.Now()
	must(builder.Submit(within(t, 30*time.Second), &node.SubmitRequest{Package: "pkg:words/fine@1"}))(t)
	select {
	case err := <-closed:
		check(t, err)
		t.Logf("closing took %v", time.Since(begun).Round(time.Second))
	case <-time.After(30 * time.Second):
		t.Fatal("closing hangs")
	}
}

// closeOverStuckResolver closes a node while a source heeds nothing.
func closeOverStuckResolver(t *testing.T) {
	t.Parallel()
	folder := makeGroup(t, names[:1], nil)
	made := &plugins{stuck: make(chan struct{})}
	builder := made.load(t, folder, "alder", nil)
	check(t, builder.Start())
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan error, 1)
	go func() {
		_, err := builder.Submit(context.Background(), &node.SubmitRequest{Package: "pkg:words/stuck@1"})
		told <- err
	}()
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := builder.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/stuck@1"}); err != context.Canceled {
		t.Errorf("a submission that is cancelled: %v", err)
	}
	begun := time.Now()
	closed := make(chan error)
	go func() { closed <- builder.Close() }()
	limit := time.After(30 * time.Second)
	for waited := 0; waited < 2; waited++ {
		select {
		case err := <-closed:
			check(t, err)
			t.Logf("closing took %v", time.Since(begun).Round(time.Second))
		case err := <-told:
			refused(t, err, node.CodeState, "")
		case <-limit:
			t.Fatal("one waits for ever")
		}
	}
	close(made.stuck)
}
