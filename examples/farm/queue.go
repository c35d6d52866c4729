package main

import (
	"container/heap"
	"context"
	"errors"
	"sort"
	"sync"
)

// errQueueFull is what a queue says that holds as many tasks as it may.
var errQueueFull = errors.New("the farm's queue is full")

// errQueueClosed is what a queue says that takes no more.
var errQueueClosed = errors.New("the farm is closing")

// Task is one piece of work of the farm's.
type Task struct {
	Name     string                    // for people, such as "run 4f0c2a-17"
	Priority int                       // the higher begins sooner; equal ones in their order
	Work     func(ctx context.Context) // runs on a worker, once
}

// entry is a task in the queue.
type entry struct {
	task   Task
	ctx    context.Context
	number uint64 // the order in which they came
	place  int    // in the heap, or -1 when a worker has it
	done   chan struct{}
}

// Queue hands tasks to a fixed number of workers, the most urgent first, and lets so many wait at most.
type Queue struct {
	limit   int
	workers sync.WaitGroup

	mutex    sync.Mutex
	changed  *sync.Cond
	waiting  entries
	running  map[uint64]*entry
	next     uint64
	isClosed bool
}

// NewQueue starts the workers.
func NewQueue(workers, limit int) *Queue {
	q := &Queue{limit: limit, running: map[uint64]*entry{}}
	q.changed = sync.NewCond(&q.mutex)
	for i := 0; i < workers; i++ {
		q.workers.Add(1)
		go q.serve()
	}
	return q
}

// Do waits until a worker has done the task. When the context ends, a task that waits is taken out of the queue; one
// that runs is waited for, since its work gets the context and is to end.
func (q *Queue) Do(ctx context.Context, task Task) error {
	e := &entry{task: task, ctx: ctx, done: make(chan struct{})}
	if err := q.add(e); err != nil {
		return err
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
	}
	q.mutex.Lock()
	if e.place >= 0 {
		heap.Remove(&q.waiting, e.place)
		q.mutex.Unlock()
		return ctx.Err()
	}
	q.mutex.Unlock()
	<-e.done
	return nil
}

func (q *Queue) add(e *entry) error {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.isClosed {
		return errQueueClosed
	}
	if len(q.waiting) >= q.limit {
		return errQueueFull
	}
	e.number = q.next
	q.next++
	heap.Push(&q.waiting, e)
	q.changed.Signal()
	return nil
}

// serve is one worker.
func (q *Queue) serve() {
	defer q.workers.Done()
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for {
		for len(q.waiting) == 0 {
			if q.isClosed {
				return
			}
			q.changed.Wait()
		}
		e := heap.Pop(&q.waiting).(*entry)
		q.running[e.number] = e
		q.mutex.Unlock()
		e.task.Work(e.ctx)
		close(e.done)
		q.mutex.Lock()
		delete(q.running, e.number)
	}
}

// Close takes no more tasks, and waits until those that are in the queue are done.
func (q *Queue) Close() {
	q.mutex.Lock()
	q.isClosed = true
	q.changed.Broadcast()
	q.mutex.Unlock()
	q.workers.Wait()
}

// Line is a task as the farm shows it.
type Line struct {
	Number   uint64 `json:"number"`
	Name     string `json:"name"`
	Priority int    `json:"priority"`
	Running  bool   `json:"running"`
}

// Lines shows what runs, in the order in which it came, and what waits, in the order in which it begins.
func (q *Queue) Lines() []Line {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	lines := make([]Line, 0, len(q.running)+len(q.waiting))
	for _, e := range q.running {
		lines = append(lines, Line{e.number, e.task.Name, e.task.Priority, true})
	}
	for _, e := range q.waiting {
		lines = append(lines, Line{e.number, e.task.Name, e.task.Priority, false})
	}
	sort.Slice(lines, func(i, j int) bool {
		a, b := lines[i], lines[j]
		if a.Running != b.Running {
			return a.Running
		}
		if !a.Running && a.Priority != b.Priority {
			return a.Priority > b.Priority
		}
		return a.Number < b.Number
	})
	return lines
}

// entries is a heap, the most urgent first.
type entries []*entry

func (e entries) Len() int { return len(e) }

func (e entries) Less(i, j int) bool {
	if e[i].task.Priority != e[j].task.Priority {
		return e[i].task.Priority > e[j].task.Priority
	}
	return e[i].number < e[j].number
}

func (e entries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].place, e[j].place = i, j
}

func (e *entries) Push(x any) {
	added := x.(*entry)
	added.place = len(*e)
	*e = append(*e, added)
}

func (e *entries) Pop() any {
	last := len(*e) - 1
	taken := (*e)[last]
	(*e)[last], *e = nil, (*e)[:last]
	taken.place = -1
	return taken
}
