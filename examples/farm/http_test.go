package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"synchronicity.example/synchronicity/node"
)

// makeFolder makes a group of one, whose configuration chooses the farm's plugins.
func makeFolder(t *testing.T) string {
	t.Helper()
	program, archive := os.Getenv("SYNC_COMMAND"), os.Getenv("SYNC_TOOLCHAIN")
	if program == "" || archive == "" {
		t.Fatal("SYNC_COMMAND and SYNC_TOOLCHAIN must name the program synchronicity and a toolchain's tar")
	}
	folder := t.TempDir()
	run := func(name string, arguments ...string) string {
		command := exec.Command(name, arguments...)
		command.Dir = folder
		command.Stderr = os.Stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, arguments, err)
		}
		return strings.TrimSpace(string(out))
	}
	scripts, err := filepath.Abs("../../scripts")
	if err != nil {
		t.Fatal(err)
	}
	address := "127.0.0.1:" + run(filepath.Join(scripts, "free-ports"), "1")
	run(program, "init", "--quiet", "--name", "fir", "--address", address, "--directory", "fir")
	run(program, "group", "create", "--origin", "farm.example", "fir/fir.member")
	run(program, "group", "join", "--config", "fir/config.toml", "group.txt")
	path := filepath.Join(folder, "fir", "config.toml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "sandbox ="):
			lines[i] = `sandbox = "farm"`
		case strings.HasPrefix(line, "source ="):
			lines[i] = `source = "recipes"`
		case strings.HasPrefix(line, "data ="):
			lines[i] = "data = \"data\"\ncache = \"cache\""
		}
	}
	digest := strings.TrimSuffix(filepath.Base(archive), ".tar")
	lines = append(lines, "[toolchain]", `digest = "`+digest+`"`, `directories = ["`+filepath.Dir(archive)+`"]`, "")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// ask asks the farm, and checks the answer's status.
func ask(t *testing.T, server *httptest.Server, method, path string, status int) string {
	t.Helper()
	request, err := http.NewRequest(method, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Errorf("%s %s: %d, wanted %d: %s", method, path, response.StatusCode, status, body)
	}
	return string(body)
}

func TestInterface(t *testing.T) {
	folder := makeFolder(t)
	queue := NewQueue(2, 10)
	defer queue.Close()
	options := &Options{Config: filepath.Join(folder, "fir", "config.toml"), Recipes: "recipes"}
	builder, err := newNode(options, queue, &Runner{Command: os.Getenv("SYNC_RUNNER")})
	if err != nil {
		t.Fatal(err)
	}
	defer builder.Close()
	server := httptest.NewServer(&handler{node: builder, queue: queue})
	defer server.Close()
	nothing := strings.Repeat("0", 64)
	// Before the start.
	ask(t, server, "GET", "/status", http.StatusServiceUnavailable)
	ask(t, server, "POST", "/rebuilds?package=pkg:farm/sum@1", http.StatusServiceUnavailable)
	if err := builder.Start(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", http.StatusNotFound},
		{"GET", "/rebuilds/" + nothing + "/other", http.StatusNotFound},
		{"GET", "/rebuilds", http.StatusMethodNotAllowed},
		{"POST", "/status", http.StatusMethodNotAllowed},
		{"POST", "/rebuilds", http.StatusBadRequest},
		{"POST", "/rebuilds?package=pkg:farm/sum@1&priority=high", http.StatusBadRequest},
		{"POST", "/rebuilds?package=pkg:farm/sum@1&priority=101", http.StatusBadRequest},
		{"POST", "/rebuilds?package=pkg:farm/sum@1&rebuild=-1", http.StatusBadRequest},
		{"POST", "/rebuilds?package=pkg:farm/..%2Fsum@1", http.StatusBadRequest},
		{"POST", "/rebuilds?package=pkg:cargo/itoa@1.0.1", http.StatusBadRequest},
		{"POST", "/rebuilds?package=pkg:farm/none@1", http.StatusNotFound},
		{"GET", "/rebuilds/0", http.StatusBadRequest},
		{"GET", "/rebuilds/" + nothing, http.StatusNotFound},
		{"GET", "/rebuilds/" + nothing + "?wait=1h", http.StatusBadRequest},
		{"GET", "/rebuilds/" + nothing + "/proof", http.StatusNotFound},
		{"GET", "/artifacts/" + nothing, http.StatusNotFound},
		{"GET", "/artifacts/..%2F..", http.StatusNotFound},
		{"GET", "/status", http.StatusOK},
	} {
		ask(t, server, row.method, row.path, row.status)
	}
	if text := ask(t, server, "GET", "/queue", http.StatusOK); text != "[]\n" {
		t.Errorf("the queue is %s", text)
	}

	var submitted struct{ Job node.Digest }
	text := ask(t, server, "POST", "/rebuilds?package=pkg:farm/sum@1&priority=7", http.StatusAccepted)
	if err := json.Unmarshal([]byte(text), &submitted); err != nil {
		t.Fatal(err)
	}
	var shown rebuild
	text = ask(t, server, "GET", "/rebuilds/"+submitted.Job.String()+"?wait=30", http.StatusOK)
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatal(err)
	}
	if want := (rebuild{submitted.Job, "cosigned", "reproduced", 1, 1}); shown != want {
		t.Errorf("the rebuild is %+v, wanted %+v", shown, want)
	}
	proof := ask(t, server, "GET", "/rebuilds/"+submitted.Job.String()+"/proof", http.StatusOK)
	if !strings.HasPrefix(proof, "c2sp.org/tlog-proof@v1\n") {
		t.Errorf("the proof is %q", proof)
	}
	if err := builder.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	ask(t, server, "POST", "/rebuilds?package=pkg:farm/sum@1", http.StatusServiceUnavailable)
}
