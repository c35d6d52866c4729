package node_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"synchronicity.example/synchronicity"
	"synchronicity.example/synchronicity/node"
)

// TestGroup runs four builders in this process: their sandbox and source are Go, two keep keys and journal in it.
func TestGroup(t *testing.T) {
	before := count(t)
	folder := makeGroup(t, names, []string{"cedar", "elm"}, "--reproducers", "3",
		"--commit-seconds", "12", "--reveal-seconds", "12")
	made := &plugins{}
	logs := map[string]*journal{}
	nodes := map[string]*node.Node{}
	for _, name := range names {
		logs[name] = &journal{}
		nodes[name] = made.load(t, folder, name, logs[name])
	}
	alder, birch, cedar, elm := nodes["alder"], nodes["birch"], nodes["cedar"], nodes["elm"]
	events := must(birch.Events(context.Background(), 1024))(t)
	small := must(birch.Events(context.Background(), 2))(t)
	startAll(t, nodes)
	status := must(alder.Status())(t)
	if status.State != node.Running || status.Replicas != 4 || status.Quorum != 3 {
		t.Errorf("the status is %+v", status)
	}

	ctx := within(t, 60*time.Second)
	job := must(alder.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/fine@1"}))(t)
	if again := must(cedar.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/fine@1"}))(t); again != job {
		t.Errorf("the same spec is another job: %s, %s", job, again)
	}
	anew := must(elm.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/fine@1", Rebuild: 1, Priority: 5}))(t)
	if anew == job {
		t.Error("a fresh rebuild is the same job")
	}
	for _, name := range names {
		done := must(nodes[name].Wait(ctx, job, node.PhaseCosigned))(t)
		if done.Phase != node.PhaseCosigned || done.Verdict != node.VerdictReproduced || done.Agreeing != 4 {
			t.Errorf("%s: %+v", name, done)
		}
		if found := must(nodes[name].Job(job))(t); found != done {
			t.Errorf("%s: %+v, then %+v", name, done, found)
		}
		verify(t, folder, nodes[name], job, "fine")
	}
	if first := <-small; first.Kind != node.EventOrdered || first.Dropped != 0 {
		t.Errorf("the first event is %+v", first)
	}
	<-small
	// How a program ends is agreed on as well.
	failing := must(birch.Submit(ctx, &node.SubmitRequest{Package: "pkg:words/exits@1"}))(t)
	if done := must(alder.Wait(ctx, failing, node.PhaseCosigned))(t); done.Verdict != node.VerdictFailed {
		t.Errorf("a recipe that fails: %+v", done)
	}

	askForNothing(t, alder, job)
	submissions(t, alder)
	for _, name := range names {
		check(t, nodes[name].Drain(ctx))
	}
	endAll(t, nodes)
	all := checkOrder(t, events, job)
	// What a queue of two did not take is counted.
	behind := <-small
	place := 2 + int(behind.Dropped)
	behind.Dropped = 0
	if len(small) != 1 || place == 2 || place >= len(all) || all[place] != behind {
		t.Errorf("a queue of two has %d events behind %+v, which is to be number %d of %v", len(small), behind, place, all)
	}
	for _, name := range names {
		text := logs[name].text()
		if !strings.Contains(text, "Started") || !strings.Contains(text, "what was left of "+name) ||
			strings.Contains(text, "error: ") {
			t.Errorf("%s says\n%s", name, text)
		}
	}
	settles(t)
	await(t, "no goroutine is left", func() bool { return count(t).goroutines <= before.goroutines })
	checkRequests(t, made, folder)
}

func startAll(t *testing.T, nodes map[string]*node.Node) {
	t.Helper()
	for _, name := range names {
		check(t, nodes[name].Start())
	}
	for _, name := range names {
		await(t, name+" finds the others", func() bool { return must(nodes[name].Status())(t).ConnectedPeers == 3 })
	}
}

// verify checks a proof with the verifier, and that it can fail.
func verify(t *testing.T, folder string, from *node.Node, job node.Digest, word string) {
	t.Helper()
	policy := must(synchronicity.ReadPolicy(filepath.Join(folder, "policy")))(t)
	defer policy.Close()
	digest := synchronicity.Digest(sha256.Sum256(artifact(word)))
	proof := must(from.Proof(job))(t)
	shown := must(policy.Verify(proof, digest))(t)
	if shown.Reproducers < 3 {
		t.Errorf("%d reproducers", shown.Reproducers)
	}
	if _, err := policy.Verify(proof, synchronicity.Digest{}); !errors.Is(err, synchronicity.CodeArtifactMismatch) {
		t.Errorf("another artifact: %v", err)
	}
	path := must(from.Artifact(node.Digest(digest)))(t)
	if bytes := must(os.ReadFile(path))(t); string(bytes) != string(artifact(word)) {
		t.Errorf("the artifact is %q", bytes)
	}
}

func askForNothing(t *testing.T, from *node.Node, job node.Digest) {
	t.Helper()
	if _, err := from.Wait(within(t, 100*time.Millisecond), node.Digest{}, node.PhaseCommit); err !=
		context.DeadlineExceeded {
		t.Errorf("waiting for a job that is none: %v", err)
	}
	cancelled, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	begun := time.Now()
	if _, err := from.Wait(cancelled, node.Digest{}, node.PhaseCommit); err != context.Canceled ||
		time.Since(begun) > 5*time.Second {
		t.Errorf("a wait that is cancelled: %v after %v", err, time.Since(begun))
	}
	if found := must(from.Job(node.Digest{}))(t); found != (node.JobStatus{}) {
		t.Errorf("a job that is none: %+v", found)
	}
	_, err := from.Wait(context.Background(), job, 9)
	refused(t, err, node.CodeInvalidArgument, "phase")
	_, err = from.Proof(node.Digest{})
	refused(t, err, node.CodeNotFound, "")
	_, err = from.Artifact(node.Digest{})
	refused(t, err, node.CodeNotFound, "")
	var status struct{ Name string }
	check(t, json.Unmarshal(must(from.StatusJSON())(t), &status))
	if status.Name != "alder" {
		t.Errorf("the status is of %q", status.Name)
	}
}

// submissions checks what a source gives, and how that is told.
func submissions(t *testing.T, to *node.Node) {
	t.Helper()
	for _, row := range []struct {
		name string
		code node.Code
		part string
	}{
		{"pkg:words/missing@1", node.CodeNotFound, "there is no such word"},
		{"pkg:words/unpinned@1", node.CodeIO, "a sentence with ümlauts and a   inside"},
		{"pkg:words/panics@1", node.CodeIO, "panicked: at the resolver"},
		{"pkg:words/gives-up@1", node.CodeCancelled, "enough of it"},
		{"pkg:words/nospec@1", node.CodeIO, "refused"},
		{"pkg:words/nothing@1", node.CodeIO, "refused"},
		{"pkg:cargo/x@1", node.CodeInvalid, "pkg:words"},
		{"pkg:words/a\x00b@1", node.CodeInvalidArgument, "NUL"},
	} {
		_, err := to.Submit(within(t, 30*time.Second), &node.SubmitRequest{Package: row.name})
		refused(t, err, row.code, row.part)
	}
	_, err := to.Submit(within(t, 200*time.Millisecond), &node.SubmitRequest{Package: "pkg:words/slow@1"})
	if err != context.DeadlineExceeded {
		t.Errorf("a submission that takes too long: %v", err)
	}
}

// endAll stops the nodes, while one is waited for.
func endAll(t *testing.T, nodes map[string]*node.Node) {
	t.Helper()
	told := make(chan error, 1)
	go func() {
		_, err := nodes["birch"].Wait(context.Background(), node.Digest{}, node.PhaseCommit)
		told <- err
	}()
	time.Sleep(100 * time.Millisecond)
	for _, name := range names {
		check(t, nodes[name].Stop(within(t, 60*time.Second)))
		if state := must(nodes[name].Status())(t).State; state != node.Stopped {
			t.Errorf("%s is %v", name, state)
		}
	}
	refused(t, <-told, node.CodeState, "")
	for _, name := range names {
		check(t, nodes[name].Close())
		check(t, nodes[name].Close())
	}
}

// checkOrder returns all events.
func checkOrder(t *testing.T, events <-chan node.Event, job node.Digest) []node.Event {
	t.Helper()
	var all []node.Event
	var kinds []node.EventKind
	committed := map[string]bool{}
	var leaf uint64
	isProven := false
	for event := range events {
		all = append(all, event)
		if event.Dropped != 0 {
			t.Errorf("%d events are dropped", event.Dropped)
		}
		if event.Kind == node.EventCosigned && len(kinds) > 0 && event.Number > leaf {
			isProven = true
		}
		if event.Job != job {
			continue
		}
		kinds = append(kinds, event.Kind)
		switch event.Kind {
		case node.EventOrdered:
			if event.Text != "pkg:words/fine@1" {
				t.Errorf("what is ordered is %q", event.Text)
			}
		case node.EventCommitted:
			committed[event.Text] = true
		case node.EventVerdict:
			if node.Verdict(event.Number) != node.VerdictReproduced || event.Text != "reproduced" {
				t.Errorf("the verdict is %+v", event)
			}
		case node.EventLogged:
			leaf, isProven = event.Number, false
		}
	}
	place := -1
	for kind := node.EventOrdered; kind <= node.EventLogged; kind++ {
		if kind == node.EventAbstained {
			continue
		}
		next := -1
		for i, found := range kinds {
			if found == kind {
				next = i
				break
			}
		}
		if next <= place {
			t.Errorf("%v is not in its place in %v", kind, kinds)
		}
		place = next
	}
	if len(committed) != 4 || !isProven {
		t.Errorf("%v have committed, and the leaf's checkpoint came: %v", committed, isProven)
	}
	return all
}

// checkRequests checks that a request came whole, and that all that was made is ended.
func checkRequests(t *testing.T, made *plugins, folder string) {
	t.Helper()
	if len(made.shells) != 4 || made.closed.Load() != 4 {
		t.Errorf("%d sandboxes were made, %d sources closed", len(made.shells), made.closed.Load())
	}
	request := made.shells[0].requests[recipe("fine")]
	if request == nil {
		t.Fatal("no request came")
	}
	writable := ""
	for _, mount := range request.Mounts {
		if mount.Writable {
			writable += mount.InsidePath
		}
	}
	if strings.Join(request.Command, " ") != "/bin/sh /input/recipe.sh" || writable != "/output" ||
		strings.Join(request.Environment, ";") != "WORD=two words" || request.WallSeconds != 1 ||
		request.TranscriptBytes != 1024 || request.MemoryBytes != 1<<20 || request.Processes != 8 ||
		!strings.HasPrefix(request.ScratchDirectory, folder) || len(request.Toolchain) != 64 {
		t.Errorf("the request is %+v", request)
	}
}
