package node_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"synchronicity.example/synchronicity/node"
)

// counts are what lives could leave behind: goroutines, threads, descriptors and memory.
type counts struct {
	goroutines, threads, descriptors int
}

func (c counts) within(limit counts) bool {
	return c.goroutines <= limit.goroutines && c.threads <= limit.threads && c.descriptors <= limit.descriptors
}

func count(t *testing.T) counts {
	t.Helper()
	tasks := must(os.ReadDir("/proc/self/task"))(t)
	descriptors := must(os.ReadDir("/proc/self/fd"))(t)
	return counts{runtime.NumGoroutine(), len(tasks), len(descriptors)}
}

func resident(t *testing.T) int {
	t.Helper()
	fields := strings.Fields(string(must(os.ReadFile("/proc/self/statm"))(t)))
	return must(strconv.Atoi(fields[1]))(t) * os.Getpagesize() >> 10
}

// TestLives checks that many lives of a node leave nothing behind. SYNC_CYCLES says how many: 50 unless given.
func TestLives(t *testing.T) {
	cycles := 50
	if text := os.Getenv("SYNC_CYCLES"); text != "" {
		cycles = must(strconv.Atoi(text))(t)
	}
	folder := makeGroup(t, names[:2], names[1:2])
	var before, after counts
	var memory int
	for cycle := 0; cycle < cycles; cycle++ {
		if cycle == cycles/5 {
			settles(t)
			before, memory = count(t), resident(t)
		}
		live(t, folder, cycle)
	}
	settles(t)
	// Idle threads of the library end after ten seconds.
	for i := 0; i < 300; i++ {
		after = count(t)
		if after.within(before) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%d lives: after a fifth %+v and %d KiB, at the end %+v and %d KiB",
		cycles, before, memory, after, resident(t))
	if !after.within(before) {
		stacks := make([]byte, 1<<20)
		t.Errorf("there is more at the end:\n%s", stacks[:runtime.Stack(stacks, true)])
	}
	if found := resident(t); found > memory+memory/4+(4<<10) {
		t.Errorf("the memory grows from %d KiB to %d KiB", memory, found)
	}
}

func live(t *testing.T, folder string, cycle int) {
	t.Helper()
	builder := (&plugins{}).load(t, folder, names[cycle%2], &journal{})
	events := must(builder.Events(context.Background(), 4))(t)
	if cycle%10 != 9 {
		check(t, builder.Start())
		must(builder.Status())(t)
	}
	if cycle%3 == 0 {
		check(t, builder.Stop(context.Background()))
	}
	check(t, builder.Close())
	for event := range events {
		if event.Kind == node.EventFault {
			t.Errorf("the node ended by itself: %+v", event)
		}
	}
}

// TestAskingWhileItEnds checks that whoever asks a node that ends gets an answer or an error, and never hangs.
func TestAskingWhileItEnds(t *testing.T) {
	folder := makeGroup(t, names[:2], nil)
	for cycle := 0; cycle < 8; cycle++ {
		builder := (&plugins{}).load(t, folder, "alder", nil)
		check(t, builder.Start())
		var asking sync.WaitGroup
		ended := make(chan struct{})
		for i := 0; i < 4; i++ {
			asking.Add(1)
			go func() {
				defer asking.Done()
				for {
					select {
					case <-ended:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
					for name, err := range everyCall(ctx, builder) {
						if err != nil && !errors.Is(err, node.CodeState) && !errors.Is(err, node.ErrClosed) &&
							!errors.Is(err, node.CodeNotFound) && !errors.Is(err, node.CodeCancelled) && ctx.Err() == nil {
							t.Errorf("%s: %v", name, err)
						}
					}
					cancel()
				}
			}()
		}
		time.Sleep(30 * time.Millisecond)
		check(t, builder.Close())
		close(ended)
		asking.Wait()
	}
	settles(t)
}
