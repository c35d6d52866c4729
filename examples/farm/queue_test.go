package main

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"
)

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for i := 0; i < 1000; i++ {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}

// block fills the queue's one worker until release is called.
func block(t *testing.T, q *Queue) (release func()) {
	t.Helper()
	begun, held := make(chan struct{}), make(chan struct{})
	go q.Do(context.Background(), Task{Name: "block", Work: func(context.Context) {
		close(begun)
		<-held
	}})
	<-begun
	return func() { close(held) }
}

func TestQueueOrder(t *testing.T) {
	q := NewQueue(1, 10)
	release := block(t, q)
	var order []string
	var done sync.WaitGroup
	for i, task := range []Task{
		{Name: "low", Priority: -1}, {Name: "first", Priority: 0}, {Name: "second", Priority: 0}, {Name: "high", Priority: 9},
	} {
		task := task
		task.Work = func(context.Context) { order = append(order, task.Name) }
		done.Add(1)
		go func() {
			defer done.Done()
			if err := q.Do(context.Background(), task); err != nil {
				t.Error(err)
			}
		}()
		await(t, task.Name+" waits", func() bool { return len(q.Lines()) == i+2 })
	}
	want := []Line{{0, "block", 0, true}, {4, "high", 9, false}, {2, "first", 0, false}, {3, "second", 0, false},
		{1, "low", -1, false}}
	if lines := q.Lines(); !reflect.DeepEqual(lines, want) {
		t.Errorf("the queue is %v, wanted %v", lines, want)
	}
	release()
	done.Wait()
	if want := []string{"high", "first", "second", "low"}; !reflect.DeepEqual(order, want) {
		t.Errorf("the order is %v, wanted %v", order, want)
	}
	q.Close()
}

func TestQueueBounds(t *testing.T) {
	before := runtime.NumGoroutine()
	q := NewQueue(1, 2)
	release := block(t, q)
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan error)
	never := func(context.Context) { t.Error("a task runs that nobody waits for") }
	for i := 0; i < 2; i++ {
		go func() { told <- q.Do(ctx, Task{Name: "waits", Work: never}) }()
	}
	await(t, "two wait", func() bool { return len(q.Lines()) == 3 })
	if err := q.Do(ctx, Task{Name: "third", Work: never}); err != errQueueFull || !isBusy(err) {
		t.Errorf("a third gets %v", err)
	}
	cancel()
	for i := 0; i < 2; i++ {
		if err := <-told; err != context.Canceled || isBusy(err) {
			t.Errorf("one that waits and is cancelled gets %v", err)
		}
	}
	if lines := q.Lines(); len(lines) != 1 {
		t.Errorf("what is cancelled waits still: %v", lines)
	}
	release()
	q.Close()
	if err := q.Do(context.Background(), Task{Work: never}); err != errQueueClosed {
		t.Errorf("a closed queue says %v", err)
	}
	await(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}

// TestQueueCancelledWork checks that a task that runs hears of it and is waited for.
func TestQueueCancelledWork(t *testing.T) {
	q := NewQueue(2, 2)
	ctx, cancel := context.WithCancel(context.Background())
	var told error
	time.AfterFunc(20*time.Millisecond, cancel)
	err := q.Do(ctx, Task{Name: "heeds it", Work: func(ctx context.Context) {
		<-ctx.Done()
		time.Sleep(20 * time.Millisecond)
		told = ctx.Err()
	}})
	if err != nil || !errors.Is(told, context.Canceled) {
		t.Errorf("the queue says %v, the task heard %v", err, told)
	}
	q.Close()
}
