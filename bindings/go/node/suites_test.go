package node_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"synchronicity.example/synchronicity/node"
)

// The name of this file puts its tests behind TestLives, which counts threads: those of a check's instances idle for
// ten seconds behind it.

// twins has one key for two roles.
type twins struct{ keys }

func (t twins) one(role node.KeyRole) node.KeyRole {
	if role == node.KeyCosigner {
		return node.KeyLog
	}
	return role
}

func (t twins) PublicKey(ctx context.Context, role node.KeyRole) (ed25519.PublicKey, error) {
	return t.keys.PublicKey(ctx, t.one(role))
}

func (t twins) Sign(ctx context.Context, role node.KeyRole, message []byte) ([]byte, error) {
	return t.keys.Sign(ctx, t.one(role), message)
}

// shelf keeps maps by their folders, so that opening again finds the same.
type shelf struct {
	mutex sync.Mutex
	maps  map[string]*memory
}

func (s *shelf) open(ctx context.Context, request *node.CreateRequest) (node.Storage, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := s.maps[request.StateDirectory]
	if found == nil {
		found = &memory{records: map[string][]byte{}}
		s.maps[request.StateDirectory] = found
	}
	return found, nil
}

// checkable has the plugins of these tests, with some that are checked alone.
func checkable(t *testing.T, asked func(request *node.CreateRequest)) *node.Registry {
	t.Helper()
	registry := (&plugins{}).registry(t)
	t.Cleanup(func() { registry.Close() })
	check(t, registry.AddStorage("go-shelf", "1", (&shelf{maps: map[string]*memory{}}).open))
	check(t, registry.AddSigner("go-twins", "1",
		func(ctx context.Context, request *node.CreateRequest) (node.Signer, error) {
			return twins{keys{name: request.Node}}, nil
		}))
	check(t, registry.AddSigner("go-asking", "2",
		func(ctx context.Context, request *node.CreateRequest) (node.Signer, error) {
			asked(request)
			return keys{name: request.Node}, nil
		}))
	return registry
}

func TestCheckReports(t *testing.T) {
	var mutex sync.Mutex
	var got map[string]string
	registry := checkable(t, func(request *node.CreateRequest) {
		mutex.Lock()
		defer mutex.Unlock()
		got = request.Settings
	})
	for _, row := range []struct {
		name, end string
		options   *node.CheckOptions
		failed    string // "": it passes
	}{
		{"go-keys", "go-keys 1, a signer: ", nil, ""},
		{"go-asking", "go-asking 2, a signer: ",
			&node.CheckOptions{Settings: map[string]string{"b": "2", "a": "one", "c": ""}}, ""},
		{"go-shelf", "go-shelf 1, a storage: ", &node.CheckOptions{}, ""},
		{"go-words", "go-words 1, a source: ", &node.CheckOptions{Package: "pkg:words/fine@1"}, ""},
		{"go-twins", "go-twins 1, a signer: ", nil, "each role has a key of its own: the cosigner key is another"},
		{"go-map", "go-map 1, a storage: ", nil, "what was applied is there after opening again: "},
		{"go-words", "go-words 1, a source: ", &node.CheckOptions{Package: "pkg:words/none@0"}, "the package is resolved: "},
	} {
		report := must(registry.Check(row.name, row.options))(t)
		lines := strings.Split(report.Text, "\n")
		count, fails := len(lines)-2, 0
		if count < 1 || lines[count+1] != "" {
			t.Errorf("%s: no lines:\n%s", row.name, report.Text)
			continue
		}
		for _, line := range lines[:count] {
			if strings.HasPrefix(line, "FAIL: ") {
				fails++
			} else if !strings.HasPrefix(line, "pass: ") {
				t.Errorf("%s: a line %q", row.name, line)
			}
		}
		if last := fmt.Sprintf("%s%d of %d checks passed", row.end, count-fails, count); lines[count] != last {
			t.Errorf("%s: the last line is %q, wanted %q", row.name, lines[count], last)
		}
		if report.HasPassed != (row.failed == "") || report.HasPassed != (fails == 0) {
			t.Errorf("%s: passed: %v\n%s", row.name, report.HasPassed, report.Text)
		}
		if row.failed != "" && !strings.Contains("\n"+report.Text, "\nFAIL: "+row.failed) {
			t.Errorf("%s: nothing says %q in\n%s", row.name, row.failed, report.Text)
		}
	}
	if len(got) != 3 || got["a"] != "one" || got["b"] != "2" {
		t.Errorf("the settings came as %v", got)
	}
	check(t, registry.Close())
	settles(t)
}

func TestCheckRefusals(t *testing.T) {
	registry := checkable(t, nil)
	many := map[string]string{}
	for i := 0; i <= 1000; i++ {
		many[fmt.Sprint(i)] = ""
	}
	for _, row := range []struct {
		name    string
		options *node.CheckOptions
		code    node.Code
		part    string
	}{
		{"nobody", nil, node.CodeNotFound, "nobody"},
		{"sqlite", nil, node.CodeNotFound, "sqlite"},
		{"a\x00b", nil, node.CodeInvalidArgument, "NUL"},
		{"go-shell", nil, node.CodeInvalid, "toolchain"},
		{"go-shell", &node.CheckOptions{Toolchain: "relative.tar"}, node.CodeInvalid, "absolute"},
		{"go-shell", &node.CheckOptions{Toolchain: "/no/such.tar"}, node.CodeNotFound, "/no/such.tar"},
		{"go-shell", &node.CheckOptions{Toolchain: "/a\x00.tar"}, node.CodeInvalidArgument, "toolchain's path"},
		{"go-words", nil, node.CodeInvalid, "package"},
		{"go-words", &node.CheckOptions{Package: "words"}, node.CodeInvalid, "purl"},
		{"go-words", &node.CheckOptions{Package: "\x00"}, node.CodeInvalidArgument, "the package"},
		{"go-keys", &node.CheckOptions{Settings: map[string]string{"a": "\x00"}}, node.CodeInvalidArgument, "a setting"},
		{"go-keys", &node.CheckOptions{Settings: many}, node.CodeTooLarge, "1001"},
		{"go-keys", &node.CheckOptions{Allowed: map[string]string{"bpf": "no harm"}}, node.CodeInvalidArgument, "allowed"},
	} {
		_, err := registry.Check(row.name, row.options)
		refused(t, err, row.code, row.part)
	}
	check(t, registry.AddStorage("go-twins", "1", (&shelf{}).open))
	_, err := registry.Check("go-twins", nil)
	refused(t, err, node.CodeInvalid, "go-twins")
	check(t, registry.Close())
	if _, err := registry.Check("go-keys", nil); err != node.ErrClosed {
		t.Errorf("a registry that is closed says %v", err)
	}
	settles(t)
}

// TestCheckFromWithin checks that a plugin may use the registry that checks it, and close it: the check goes on.
func TestCheckFromWithin(t *testing.T) {
	var once sync.Once
	var registry *node.Registry
	told := make(chan error, 3)
	registry = checkable(t, func(*node.CreateRequest) {
		once.Do(func() {
			told <- registry.AddStorage("go-late", "1", (&shelf{}).open)
			_, err := registry.Check("nobody", nil)
			told <- err
			told <- registry.Close()
		})
	})
	report := must(registry.Check("go-asking", nil))(t)
	if !report.HasPassed {
		t.Error(report.Text)
	}
	check(t, <-told)
	refused(t, <-told, node.CodeNotFound, "nobody")
	check(t, <-told)
	if _, err := registry.Check("go-asking", nil); err != node.ErrClosed {
		t.Errorf("a registry that is closed says %v", err)
	}
	settles(t)
}

// TestCheckWhileOthersClose checks that several checks run at once, and that closing takes the registry from none.
func TestCheckWhileOthersClose(t *testing.T) {
	var once sync.Once
	begun, told := make(chan struct{}), make(chan error)
	registry := checkable(t, func(*node.CreateRequest) { once.Do(func() { close(begun) }) })
	for i := 0; i < 4; i++ {
		go func() {
			report, err := registry.Check("go-asking", nil)
			if err == nil && !report.HasPassed {
				err = errors.New(report.Text)
			}
			told <- err
		}()
	}
	<-begun
	check(t, registry.Close())
	passed := 0
	for i := 0; i < 4; i++ {
		switch err := <-told; err {
		case nil:
			passed++
		case node.ErrClosed: // It came too late.
		default:
			t.Error(err)
		}
	}
	if passed == 0 {
		t.Error("no check was passed, although one had begun")
	}
	settles(t)
}
