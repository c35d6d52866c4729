package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"synchronicity.example/synchronicity/node"
)

// newTestSandbox makes one with the real command; it returns the tiny toolchain's archive.
func newTestSandbox(t *testing.T, queue *Queue) (*sandbox, string) {
	t.Helper()
	runner, archive := os.Getenv("SYNC_RUNNER"), os.Getenv("SYNC_TOOLCHAIN")
	if runner == "" || archive == "" {
		t.Fatal("SYNC_RUNNER and SYNC_TOOLCHAIN must name sync-exec-bwrap and a toolchain's tar")
	}
	s, err := newSandbox(queue, &Runner{Command: runner}, &node.CreateRequest{StateDirectory: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s, archive
}

// newPreparedSandbox makes one that has the toolchain; it returns its digest.
func newPreparedSandbox(t *testing.T, queue *Queue) (*sandbox, string) {
	t.Helper()
	s, archive := newTestSandbox(t, queue)
	digest := strings.TrimSuffix(filepath.Base(archive), ".tar")
	if err := s.Prepare(context.Background(), digest, archive); err != nil {
		t.Fatal(err)
	}
	return s, digest
}

func TestToolchains(t *testing.T) {
	queue := NewQueue(2, 10)
	defer queue.Close()
	s, archive := newTestSandbox(t, queue)
	ctx := context.Background()
	has := func(digest string, want bool) {
		t.Helper()
		if is, err := s.HasToolchain(ctx, digest); is != want || err != nil {
			t.Errorf("it has %s: %v, %v", digest, is, err)
		}
	}
	digest, wrong := strings.TrimSuffix(filepath.Base(archive), ".tar"), strings.Repeat("0", 64)
	has(digest, false)
	if err := s.Prepare(ctx, wrong, archive); !errors.Is(err, node.PluginChecksumMismatch) {
		t.Errorf("a toolchain of another digest: %v", err)
	}
	has(wrong, false)
	// Two at once: the second finds it ready.
	told := make(chan error)
	for i := 0; i < 2; i++ {
		go func() { told <- s.Prepare(ctx, digest, archive) }()
	}
	for i := 0; i < 2; i++ {
		if err := <-told; err != nil {
			t.Error(err)
		}
	}
	has(digest, true)
}

func order(t *testing.T, digest, id, script string) *node.RunRequest {
	t.Helper()
	output := filepath.Join(t.TempDir(), "output")
	if err := os.Mkdir(output, 0o755); err != nil {
		t.Fatal(err)
	}
	return &node.RunRequest{
		RunID:            id,
		Toolchain:        digest,
		Command:          []string{"/bin/sh", "-c", script},
		Environment:      []string{"PATH=/usr/bin:/bin", "EMPTY=", "EQUALS=a=b"},
		WorkingDirectory: "/work",
		Mounts:           []node.Mount{{HostPath: output, InsidePath: "/output", Writable: true}},
		HostName:         "builder",
		ScratchDirectory: t.TempDir(),
		WallSeconds:      1,
		CPUSeconds:       10,
		MemoryBytes:      1 << 26,
		Processes:        16,
		DiskBytes:        1 << 22,
		TranscriptBytes:  1000,
	}
}

// limitedTranscript is what a node gives.
type limitedTranscript struct {
	kept  bytes.Buffer
	limit int
}

func (l *limitedTranscript) Write(piece []byte) (int, error) {
	if l.kept.Len()+len(piece) > l.limit {
		return 0, node.ErrTranscriptFull
	}
	return l.kept.Write(piece)
}

func TestRuns(t *testing.T) {
	queue := NewQueue(2, 10)
	defer queue.Close()
	s, digest := newPreparedSandbox(t, queue)
	for _, row := range []struct {
		id, script string
		ending     node.Ending
		status     int32
		printed    string
	}{
		{"fine", `echo "$(uname -n) $(id -u) $EQUALS$EMPTY"; echo made >/output/out`, node.Exited, 0,
			"builder 1000 a=b\n"},
		{"fails", "exit 3", node.Exited, 3, ""},
		{"hangs", "sleep 100 & wait", node.WallTimeExceeded, 0, ""},
		{"fills", "cat /dev/zero >/output/out", node.DiskExceeded, 0, ""},
		{"prints", "while :; do echo more; done", node.TranscriptExceeded, 0, ""},
	} {
		asked := order(t, digest, row.id, row.script)
		printed := &limitedTranscript{limit: 1000}
		told, err := s.Run(context.Background(), asked, printed)
		if err != nil || told.Ending != row.ending || told.Status != row.status {
			t.Errorf("%s: %+v, %v", row.id, told, err)
		}
		if row.printed != "" && printed.kept.String() != row.printed {
			t.Errorf("%s printed %q", row.id, printed.kept.String())
		}
		if row.id == "fine" {
			made, err := os.ReadFile(filepath.Join(asked.Mounts[0].HostPath, "out"))
			if string(made) != "made\n" || err != nil {
				t.Errorf("it made %q, %v", made, err)
			}
		}
	}
	// A node that takes less than the command was told.
	asked := order(t, digest, "smaller", "while :; do echo more; done")
	asked.TranscriptBytes = 1 << 30
	if told, err := s.Run(context.Background(), asked, &limitedTranscript{limit: 10}); err != nil ||
		told.Ending != node.TranscriptExceeded {
		t.Errorf("a transcript that is full: %+v, %v", told, err)
	}
	nothingIsLeft(t, s)
}

func nothingIsLeft(t *testing.T, s *sandbox) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(s.folder, "runs"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestCancelledRun(t *testing.T) {
	queue := NewQueue(1, 10)
	defer queue.Close()
	s, digest := newPreparedSandbox(t, queue)
	ctx, cancel := context.WithCancel(context.Background())
	asked := order(t, digest, "cancelled", "echo begun; sleep 4711 & wait")
	asked.WallSeconds = 100
	begun := make(chan struct{})
	printed := writerFunc(func(piece []byte) (int, error) {
		close(begun)
		return len(piece), nil
	})
	told := make(chan error)
	go func() {
		_, err := s.Run(ctx, asked, printed)
		told <- err
	}()
	<-begun
	// One behind it, which never begins.
	short, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	if _, err := s.Run(short, order(t, digest, "behind", "exit 0"), io.Discard); err != context.DeadlineExceeded {
		t.Errorf("the one behind it: %v", err)
	}
	cancel()
	select {
	case err := <-told:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a run that is cancelled: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a run that is cancelled does not end")
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(processes) == 0 {
		t.Fatalf("no process is seen: %v", err)
	}
	for _, path := range processes {
		if words, _ := os.ReadFile(path); string(words) == "sleep\x004711\x00" {
			t.Errorf("it runs on: %s", path)
		}
	}
	nothingIsLeft(t, s)
}

type writerFunc func(piece []byte) (int, error)

func (w writerFunc) Write(piece []byte) (int, error) { return w(piece) }

func TestLeftoversAndProbe(t *testing.T) {
	queue := NewQueue(1, 10)
	defer queue.Close()
	s, _ := newTestSandbox(t, queue)
	for _, name := range []string{"dead", "alive"} {
		if err := os.MkdirAll(filepath.Join(s.folder, "runs", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockFile(filepath.Join(s.folder, "runs", "alive", "lock"), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	lines, err := s.RemoveLeftovers(context.Background())
	if err != nil || strings.Join(lines, ";") != "the run dead" {
		t.Errorf("cleared away: %v, %v", lines, err)
	}
	if _, err := os.Stat(lock.Name()); err != nil {
		t.Errorf("a run that goes on is cleared away: %v", err)
	}
	found := map[string]bool{}
	findings, err := s.Probe(context.Background())
	for _, finding := range findings {
		found[finding.Name] = true
	}
	if err != nil || !found["network"] || !found["memory limit"] || !found["disk limit"] {
		t.Errorf("the probe finds %+v, %v", findings, err)
	}
}

// TestCommandsThatAreNoRunners checks that a bad answer fails the run, and is cleared away where it can be.
func TestCommandsThatAreNoRunners(t *testing.T) {
	queue := NewQueue(1, 1)
	defer queue.Close()
	for _, row := range []struct{ script, part string }{
		{"cat >/dev/null &\nexit 0", "gave no result"},
		{"echo that is why >&2; exit 7", "that is why"},
		{"kill -9 $$", "killed"},
		{answer(`{"protocol": "synchronicity-exec/1", "verb": "run", "runID": "other", "end": "exited"}`), `"other"`},
		{answer(`{"end": 5}`), "malformed"},
		{answer(`{"surprise": 5}`), "surprise"},
		{answer(`{"protocol": "synchronicity-exec/1", "verb": "run", "runID": "r", "end": "odd"}`), `"odd"`},
		{answer(`{"protocol": "synchronicity-exec/1", "verb": "run", "runID": "r", "fault": "odd"}`), `"odd"`},
		{answer(`{"protocol": "synchronicity-exec/1", "verb": "run", "runID": "r", "fault": "invalid",` +
			` "message": "So it is"}`), "So it is: invalid"},
	} {
		folder := t.TempDir()
		command := filepath.Join(folder, "command")
		script := "#!/bin/sh\nif [ $1 = clean ]; then\n" +
			answer(`{"protocol": "synchronicity-exec/1", "verb": "clean", "runID": "r", "cleaned": true}`) +
			"\nfi\n" + row.script + "\n"
		if err := os.WriteFile(command, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		s, err := newSandbox(queue, &Runner{Command: command}, &node.CreateRequest{StateDirectory: folder})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Run(context.Background(), order(t, strings.Repeat("0", 64), "r", "exit 0"), io.Discard)
		if err == nil || !strings.Contains(err.Error(), row.part) {
			t.Errorf("%s: %v", row.script, err)
		}
		nothingIsLeft(t, s)
	}
	s, err := newSandbox(queue, &Runner{Command: "/no/such"}, &node.CreateRequest{StateDirectory: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Run(context.Background(), order(t, strings.Repeat("0", 64), "r", "exit 0"), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "/no/such") {
		t.Errorf("a command that is not there: %v", err)
	}
	for name, value := range map[string]string{"priority": "high", "other": "1"} {
		_, err := newSandbox(queue, nil, &node.CreateRequest{
			StateDirectory: t.TempDir(), Settings: map[string]string{name: value}})
		if !errors.Is(err, node.PluginInvalid) {
			t.Errorf("%s = %s: %v", name, value, err)
		}
	}
}

// answer is shell text that answers with this.
func answer(json string) string {
	return `read -r line
file=${line#*\"resultFile\":\"}
printf '%s' '` + json + `' >"${file%%\"*}"
exit 0`
}
