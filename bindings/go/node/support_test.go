package node_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"synchronicity.example/synchronicity/node"
)

var names = []string{"alder", "birch", "cedar", "elm"}

func must[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for i := 0; i < 1500; i++ {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("not within 30 s: %s", what)
}

// output runs a program of the project.
func output(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	command := exec.Command(name, arguments...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(arguments, " "), err, complaint.String())
	}
	return string(out)
}

func program(t testing.TB) string {
	t.Helper()
	path := os.Getenv("SYNC_COMMAND")
	if path == "" {
		t.Fatal("SYNC_COMMAND must name the program synchronicity: see bindings/go/scripts/check-node")
	}
	return path
}

// makeGroup makes a folder for each builder, and the files group.txt and policy. Those of withKeys have the signer and
// the storage of these tests.
func makeGroup(t testing.TB, members, withKeys []string, options ...string) string {
	t.Helper()
	folder := t.TempDir()
	ports := strings.TrimSpace(output(t, "../../../scripts/free-ports", strconv.Itoa(2*len(members))))
	port := must(strconv.Atoi(ports))(t)
	arguments := []string{
		"group", "create", "--origin", "go.example", "--output", filepath.Join(folder, "group.txt"),
		"--policy", filepath.Join(folder, "policy"),
	}
	if len(options) == 0 {
		options = []string{"--commit-seconds", "12", "--reveal-seconds", "12"}
	}
	arguments = append(arguments, options...)
	for place, name := range members {
		here := filepath.Join(folder, name)
		address := fmt.Sprintf("127.0.0.1:%d", port+2*place)
		output(t, program(t), "init", "--quiet", "--name", name, "--address", address, "--listen", address,
			"--gateway", fmt.Sprintf("127.0.0.1:%d", port+2*place+1), "--directory", here)
		configure(t, here, contains(withKeys, name))
		card := filepath.Join(here, name+".member")
		if contains(withKeys, name) {
			takeKeys(t, card, name)
		}
		arguments = append(arguments, card)
	}
	output(t, program(t), arguments...)
	return folder
}

func contains(texts []string, wanted string) bool {
	for _, text := range texts {
		if text == wanted {
			return true
		}
	}
	return false
}

func configure(t testing.TB, folder string, withKeys bool) {
	t.Helper()
	path := filepath.Join(folder, "config.toml")
	text := string(must(os.ReadFile(path))(t))
	source := `source = "go-words"`
	if withKeys {
		source += "\nsigner = \"go-keys\"\nstorage = \"go-map\""
	}
	for _, change := range [][2]string{
		{"sandbox", `sandbox = "go-shell"`},
		{"source", source},
		{"group", `group = "../group.txt"`},
		{"data", "data = \"data\"\ncache = \"cache\""},
	} {
		line := regexp.MustCompile(`(?m)^` + change[0] + ` = .*$`)
		if found := len(line.FindAllString(text, -1)); found != 1 {
			t.Fatalf("%s has %d lines %s", path, found, change[0])
		}
		text = line.ReplaceAllLiteralString(text, change[1])
	}
	text += fmt.Sprintf("\n[toolchain]\ndigest = \"%064d\"\n", 7)
	check(t, os.WriteFile(path, []byte(text), 0o644))
}

// takeKeys puts the keys of the signer in Go into a member's card.
func takeKeys(t testing.TB, card, name string) {
	t.Helper()
	text := string(must(os.ReadFile(card))(t))
	for role := node.KeyLog; role <= node.KeyTransport; role++ {
		line := regexp.MustCompile(`(?m)^` + role.String() + `-key .*$`)
		if !line.MatchString(text) {
			t.Fatalf("%s has no %s-key", card, role)
		}
		text = line.ReplaceAllLiteralString(text, fmt.Sprintf("%s-key %x", role, publicKey(name, role)))
	}
	check(t, os.WriteFile(card, []byte(text), 0o644))
}

func configuration(t testing.TB, folder, extra string) string {
	t.Helper()
	return string(must(os.ReadFile(filepath.Join(folder, "config.toml")))(t)) + extra
}

// journal is a node's log, kept.
type journal struct {
	mutex sync.Mutex
	lines []string
}

func (j *journal) add(level node.LogLevel, line string) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.lines = append(j.lines, level.String()+": "+line)
}

func (j *journal) text() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return strings.Join(j.lines, "\n")
}

// settles waits for the library, which lets go on threads of its own.
func settles(t testing.TB) {
	t.Helper()
	await(t, "every plugin and instance is let go of", func() bool { return node.Held() == [3]int64{} })
}

// refused checks an error's code and a part of its sentence.
func refused(t testing.TB, err error, code node.Code, part string) {
	t.Helper()
	var refusal *node.Error
	if !asError(err, &refusal) || refusal.Code != code || !strings.Contains(refusal.Message, part) {
		t.Errorf("got %#v (%v), wanted %v with %q", err, err, code, part)
	}
}
