package node_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"synchronicity.example/synchronicity/node"
)

func TestConfigurations(t *testing.T) {
	folder := filepath.Join(makeGroup(t, names[:1], nil), "alder")
	registry := (&plugins{}).registry(t)
	defer registry.Close()
	good := configuration(t, folder, "")
	for _, row := range []struct {
		text string
		code node.Code
		part string
	}{
		{"name = 1", node.CodeInvalid, "name"},
		{"no toml at all", node.CodeInvalid, ""},
		{"", node.CodeInvalid, "name"},
		{"\x00", node.CodeInvalid, ""},
		{good + "[nothing]\n", node.CodeInvalid, "nothing"},
		{strings.ReplaceAll(good, "../group.txt", "none.txt"), node.CodeIO, "none.txt"},
		{strings.ReplaceAll(good, `"go-shell"`, `"no-such"`), node.CodeInvalid, "no-such"},
		{good + "[settings]\ngo-shell = 1\n", node.CodeInvalid, "settings.go-shell"},
		{strings.Repeat(" ", 1<<20+1), node.CodeTooLarge, "1048576"},
	} {
		_, err := node.New(row.text, folder, &node.Options{Registry: registry})
		refused(t, err, row.code, row.part)
	}
	_, err := node.New(good, folder, nil)
	refused(t, err, node.CodeInvalid, "go-shell")
	_, err = node.New(good, "a\x00b", nil)
	refused(t, err, node.CodeInvalidArgument, "NUL")
	if _, err := node.Load(filepath.Join(folder, "none.toml"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	long := filepath.Join(folder, "long.toml")
	check(t, os.WriteFile(long, make([]byte, 2<<20), 0o644))
	_, err = node.Load(long, nil)
	refused(t, err, node.CodeTooLarge, "1048576")
	check(t, registry.Close())
	settles(t)
}

func TestRegistry(t *testing.T) {
	made := &plugins{}
	registry := made.registry(t)
	refused(t, registry.AddSandbox("Bad Name", "1", made.newShell), node.CodeInvalid, "lower-case")
	refused(t, registry.AddSandbox("no-version", "", made.newShell), node.CodeInvalid, "version")
	refused(t, registry.AddSandbox("go-shell", "1", made.newShell), node.CodeInvalid, "already")
	refused(t, registry.AddSandbox("a\x00b", "1", made.newShell), node.CodeInvalidArgument, "NUL")
	refused(t, registry.AddSource("bad-type", "1", "Words 1", "words", nil), node.CodeInvalid, "purl type")
	refused(t, registry.Load("relative.so"), node.CodeInvalid, "absolute")
	refused(t, registry.Load("/no/such.so"), node.CodeInvalid, "/no/such.so")
	await(t, "what was refused is let go of", func() bool { return node.Held() == [3]int64{4, 0, 0} })
	check(t, registry.Close())
	check(t, registry.Close())
	for _, err := range []error{registry.Load("/a.so"), registry.AddSandbox("a", "1", made.newShell)} {
		if err != node.ErrClosed {
			t.Errorf("a registry that is closed says %v", err)
		}
	}
	if _, err := node.New("", ".", &node.Options{Registry: registry}); err != node.ErrClosed {
		t.Errorf("a node of a registry that is closed: %v", err)
	}
	settles(t)
}

func TestStates(t *testing.T) {
	folder := makeGroup(t, names[:1], nil)
	builder := (&plugins{}).load(t, folder, "alder", nil)
	ctx := context.Background()
	if status := must(builder.Status())(t); status != (node.Status{}) {
		t.Errorf("before the start: %+v", status)
	}
	for name, err := range everyCall(ctx, builder) {
		if name != "Status" && name != "Events" && name != "Start" && name != "Stop" {
			refused(t, err, node.CodeState, "start")
		}
	}
	for _, capacity := range []int{-1, 0, 65537} {
		_, err := builder.Events(ctx, capacity)
		refused(t, err, node.CodeOutOfRange, "capacity")
	}
	subscribed, cancel := context.WithCancel(ctx)
	events := must(builder.Events(subscribed, 1))(t)
	cancel()
	if event, ok := <-events; ok {
		t.Errorf("a subscription that is over gives %+v", event)
	}
	events = must(builder.Events(ctx, 1))(t)
	check(t, builder.Stop(ctx))
	if event, ok := <-events; ok {
		t.Errorf("a node that did nothing gives %+v", event)
	}
	refused(t, builder.Start(), node.CodeState, "once")
	check(t, builder.Close())
	for name, err := range everyCall(ctx, builder) {
		if err != node.ErrClosed {
			t.Errorf("%s of a closed node: %v", name, err)
		}
	}
	settles(t)
}

// everyCall makes each, but for Start.
func everyCall(ctx context.Context, builder *node.Node) map[string]error {
	errs := map[string]error{}
	_, errs["Status"] = builder.Status()
	_, errs["StatusJSON"] = builder.StatusJSON()
	_, errs["Submit"] = builder.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/fine@1"})
	_, errs["Wait"] = builder.Wait(ctx, node.Digest{}, node.PhaseCommit)
	_, errs["Job"] = builder.Job(node.Digest{})
	_, errs["Proof"] = builder.Proof(node.Digest{})
	_, errs["Artifact"] = builder.Artifact(node.Digest{})
	errs["Drain"] = builder.Drain(ctx)
	return errs
}

// TestStartsThatFail checks that why a node did not start is told, and that nothing is left.
func TestStartsThatFail(t *testing.T) {
	folder := filepath.Join(makeGroup(t, names[:1], nil), "alder")
	for _, row := range []struct {
		setting string
		code    node.Code
		part    string
	}{
		{"patience-seconds = 0", node.CodeInvalid, "patience-seconds"},
		{`fails = "error"`, node.CodeIO, "no instance today"},
		{`fails = "panic"`, node.CodeIO, "panicked: no instance at all"},
		{`fails = "exit"`, node.CodeIO, "ended its goroutine"},
		{`fails = "nothing"`, node.CodeIO, "gave no instance"},
	} {
		registry := (&plugins{}).registry(t)
		text := configuration(t, folder, "[settings.go-shell]\n"+row.setting+"\n")
		builder := must(node.New(text, folder, &node.Options{Registry: registry}))(t)
		check(t, registry.Close())
		refused(t, builder.Start(), row.code, row.part)
		if state := must(builder.Status())(t).State; state != node.Stopped {
			t.Errorf("%s: the node is %v", row.setting, state)
		}
		refused(t, builder.Stop(context.Background()), row.code, row.part)
		refused(t, builder.Close(), row.code, row.part)
		refused(t, builder.Close(), row.code, row.part)
	}
	settles(t)
}

// TestCloseWhileOthersWait checks that whoever waits gets an error, and that closing waits for them.
func TestCloseWhileOthersWait(t *testing.T) {
	folder := makeGroup(t, names[:2], nil)
	builder := (&plugins{}).load(t, folder, "alder", nil)
	check(t, builder.Start())
	events := must(builder.Events(context.Background(), 10))(t)
	told := make(chan error)
	ctx := context.Background()
	waits := []func() error{
		func() error { _, err := builder.Wait(ctx, node.Digest{}, node.PhaseCommit); return err },
		func() error {
			_, err := builder.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/slow@1"})
			return err
		},
		func() error {
			for range events {
			}
			return node.ErrClosed
		},
	}
	for _, wait := range waits {
		go func(wait func() error) { told <- wait() }(wait)
	}
	time.Sleep(200 * time.Millisecond)
	closes := make(chan error)
	for i := 0; i < 4; i++ {
		go func() { closes <- builder.Close() }()
	}
	limit := time.After(15 * time.Second)
	for i := 0; i < len(waits)+4; i++ {
		select {
		case err := <-told:
			if !errors.Is(err, node.CodeState) && !errors.Is(err, node.ErrClosed) && !errors.Is(err, node.CodeCancelled) {
				t.Errorf("who waits gets %v", err)
			}
		case err := <-closes:
			check(t, err)
		case <-limit:
			t.Fatal("one waits for ever")
		}
	}
	settles(t)
}
