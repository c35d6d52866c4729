package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"synchronicity.example/synchronicity/node"
)

func asError(err error, refusal **node.Error) bool {
	return errors.As(err, refusal)
}

// artifact is what the recipe of a word makes.
func artifact(word string) []byte {
	return []byte("made by the recipe " + word + "\n")
}

// recipe is what a word's package runs.
func recipe(word string) string {
	switch word {
	case "hangs":
		return "echo hangs; sleep 100 & wait"
	case "dies":
		return "kill -TERM $$"
	case "prints":
		return "while :; do echo more; done"
	case "exits":
		return "exit 3"
	}
	return "printf 'made by the recipe %s\\n' " + word + " >/output/out"
}

// words has packages pkg:words/WORD@1.
type words struct {
	closed *atomic.Int64
	stuck  chan struct{}
}

func (w *words) Close() error {
	w.closed.Add(1)
	return nil
}

var emptyTree = fmt.Sprintf("%x", sha256.Sum256([]byte("synchronicity-tree/v1\n")))

func (w *words) Resolve(ctx context.Context, request *node.ResolveRequest) ([]byte, error) {
	word := strings.TrimSuffix(strings.TrimPrefix(request.Package, "pkg:words/"), "@1")
	if request.Package != "pkg:words/"+word+"@1" {
		word = "missing"
	}
	switch word {
	case "missing":
		return nil, fmt.Errorf("there is no such word: %w", node.PluginNotFound)
	case "unpinned":
		return nil, errors.New("a sentence with ümlauts and a \x00 inside")
	case "panics":
		panic("at the resolver")
	case "slow":
		<-ctx.Done()
		return nil, ctx.Err()
	case "stuck":
		<-w.stuck
	case "gives-up":
		return nil, fmt.Errorf("enough of it: %w", context.Canceled)
	case "nospec":
		return []byte("not a spec"), nil
	case "nothing":
		return nil, nil
	}
	return []byte(strings.Join([]string{
		"synchronicity-spec/v1",
		"package " + request.Package,
		fmt.Sprintf("rebuild %d", request.Rebuild),
		"toolchain " + request.Toolchain,
		"target none",
		"profile release",
		"source " + request.Package + " " + emptyTree + " - " + request.Package,
		"lock -",
		"environment WORD=two words",
		"wall-seconds 1",
		"cpu-seconds 1",
		"memory-bytes 1048576",
		"processes 8",
		"disk-bytes 1048576",
		"transcript-bytes 1024",
		"recipe " + base64.StdEncoding.EncodeToString([]byte(recipe(word))),
		"artifact out",
		"",
	}, "\n")), nil
}

func (w *words) Fetch(ctx context.Context, request *node.FetchRequest) error {
	if request.TreeSHA256 != emptyTree {
		return fmt.Errorf("the tree %s, where there is one alone: %w", request.TreeSHA256, node.PluginChecksumMismatch)
	}
	return os.Mkdir(request.Directory, 0o755)
}

// shell runs recipes as processes of this host: it isolates nothing.
type shell struct {
	created  *node.CreateRequest
	mutex    sync.Mutex
	requests map[string]*node.RunRequest
	misdeeds map[string]misdeed
}

// misdeed is what a hostile sandbox does in place of running.
type misdeed func(ctx context.Context, request *node.RunRequest, transcript io.Writer) (node.RunResult, error)

func (s *shell) Probe(ctx context.Context) ([]node.Finding, error) {
	return []node.Finding{{Name: "isolation", Detail: "there is none", Met: true, IsWeaker: true, Mend: "a cage"}}, nil
}

func (s *shell) Prepare(ctx context.Context, toolchain, archive string) error {
	return fmt.Errorf("nothing is unpacked here: %w", node.PluginUnavailable)
}

func (s *shell) HasToolchain(ctx context.Context, toolchain string) (bool, error) {
	return true, nil
}

func (s *shell) RemoveLeftovers(ctx context.Context) ([]string, error) {
	return []string{"what was left of " + s.created.Node}, nil
}

func (s *shell) Run(ctx context.Context, request *node.RunRequest, transcript io.Writer) (node.RunResult, error) {
	script, err := os.ReadFile(request.HostPath("/input/recipe.sh"))
	if err != nil {
		return node.RunResult{}, err
	}
	s.mutex.Lock()
	s.requests[string(script)] = request
	s.mutex.Unlock()
	for word, misdeed := range s.misdeeds {
		if string(script) == recipe(word) {
			return misdeed(ctx, request, transcript)
		}
	}
	// Without a file system of its own the run gets the host's paths, the longest first.
	text := string(script)
	sort.Slice(request.Mounts, func(i, j int) bool {
		return len(request.Mounts[i].InsidePath) > len(request.Mounts[j].InsidePath)
	})
	for _, mount := range request.Mounts {
		text = strings.ReplaceAll(text, mount.InsidePath, mount.HostPath)
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(request.WallSeconds)*time.Second)
	defer cancel()
	command := exec.Command("/bin/sh", "-c", text)
	command.Env, command.Dir = request.Environment, request.ScratchDirectory
	command.Stdout, command.Stderr = transcript, transcript
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	begun := time.Now()
	if err := command.Start(); err != nil {
		return node.RunResult{}, fmt.Errorf("%v: %w", err, node.PluginUnavailable)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err = <-ended:
	case <-limited.Done():
		syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		err = <-ended
	}
	result := node.RunResult{WallNanoseconds: uint64(time.Since(begun))}
	switch status := command.ProcessState.Sys().(syscall.WaitStatus); {
	case ctx.Err() != nil:
		return result, ctx.Err()
	case limited.Err() != nil:
		result.Ending = node.WallTimeExceeded
	case errors.Is(err, node.ErrTranscriptFull):
		result.Ending = node.TranscriptExceeded
	case status.Signaled():
		result.Ending, result.Status = node.Signalled, int32(status.Signal())
	default:
		result.Status = int32(status.ExitStatus())
	}
	return result, nil
}

// keys signs with keys that are made from a name and the role: for tests alone.
type keys struct {
	name string
}

func privateKey(name string, role node.KeyRole) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name + " " + role.String()))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicKey(name string, role node.KeyRole) ed25519.PublicKey {
	return privateKey(name, role).Public().(ed25519.PublicKey)
}

func (k keys) PublicKey(ctx context.Context, role node.KeyRole) (ed25519.PublicKey, error) {
	return publicKey(k.name, role), nil
}

func (k keys) Sign(ctx context.Context, role node.KeyRole, message []byte) ([]byte, error) {
	return ed25519.Sign(privateKey(k.name, role), message), nil
}

// memory is a map.
type memory struct {
	mutex   sync.Mutex
	records map[string][]byte
}

func (m *memory) Get(ctx context.Context, key []byte) ([]byte, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.records[string(key)], nil
}

func (m *memory) Scan(ctx context.Context, prefix, start []byte, limit uint64) ([]node.Record, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var found []node.Record
	for key, value := range m.records {
		if strings.HasPrefix(key, string(prefix)) && key >= string(start) {
			found = append(found, node.Record{Key: []byte(key), Value: value})
		}
	}
	sort.Slice(found, func(i, j int) bool { return bytes.Compare(found[i].Key, found[j].Key) < 0 })
	if uint64(len(found)) > limit {
		found = found[:limit]
	}
	return found, nil
}

func (m *memory) Apply(ctx context.Context, changes []node.Change, durable bool) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, change := range changes {
		if change.Value == nil {
			delete(m.records, string(change.Key))
		} else {
			m.records[string(change.Key)] = change.Value
		}
	}
	return nil
}

// plugins are those of one test.
type plugins struct {
	mutex    sync.Mutex
	shells   []*shell
	closed   atomic.Int64 // sources
	misdeeds map[string]misdeed
	stuck    chan struct{} // for what a method waits that heeds nothing
}

func (p *plugins) registry(t testing.TB) *node.Registry {
	t.Helper()
	registry := must(node.NewRegistry())(t)
	check(t, registry.AddSandbox("go-shell", "1.0", p.newShell))
	check(t, registry.AddSource("go-words", "1", "words", "words",
		func(ctx context.Context, request *node.CreateRequest) (node.Source, error) {
			return &words{closed: &p.closed, stuck: p.stuck}, nil
		}))
	check(t, registry.AddSigner("go-keys", "1",
		func(ctx context.Context, request *node.CreateRequest) (node.Signer, error) {
			return keys{name: request.Node}, nil
		}))
	check(t, registry.AddStorage("go-map", "1",
		func(ctx context.Context, request *node.CreateRequest) (node.Storage, error) {
			return &memory{records: map[string][]byte{}}, nil
		}))
	return registry
}

func (p *plugins) newShell(ctx context.Context, request *node.CreateRequest) (node.Sandbox, error) {
	switch request.Settings["fails"] {
	case "error":
		return nil, errors.New("no instance today")
	case "panic":
		panic("no instance at all")
	case "exit":
		runtime.Goexit()
	case "nothing":
		return nil, nil
	}
	made := &shell{created: request, requests: map[string]*node.RunRequest{}, misdeeds: p.misdeeds}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.shells = append(p.shells, made)
	return made, nil
}

// load makes a node of a group's folder.
func (p *plugins) load(t testing.TB, folder, name string, log *journal) *node.Node {
	t.Helper()
	registry := p.registry(t)
	defer registry.Close()
	options := &node.Options{Registry: registry}
	if log != nil {
		options.Log = log.add
	}
	made := must(node.Load(filepath.Join(folder, name, "config.toml"), options))(t)
	t.Cleanup(func() { made.Close() })
	return made
}
