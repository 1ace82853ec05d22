package main

import (
	"sync"
	"sync/atomic"
)

// A task is a directory to read, or to go on reading, or a part of what was read of it.
type task struct {
	dir    *directory
	buffer *buffer // nil for reading
	part   []byte  // of the buffer
	shared bool    // it was offered
}

// queue hands out tasks, the last one first: a tree is walked depth first, so that few directories wait.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond
	tasks   []task
	working int
	waiting atomic.Int32 // workers that have nothing to do
	shared  int          // tasks that were offered and not yet taken
	limit   int          // of these
	closed  bool
}

func newQueue(limit int) *queue {
	q := &queue{limit: limit}
	q.changed.L = &q.mu
	return q
}

// push adds directories to read.
func (q *queue) push(directories ...*directory) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, dir := range directories {
		q.tasks = append(q.tasks, task{dir: dir})
	}
	q.wake(len(directories))
}

// offer adds a task that the caller can do by itself, unless as many of these wait as there is memory and descriptors
// for: each holds a buffer or an open descriptor.
func (q *queue) offer(t task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shared >= q.limit || q.closed {
		return false
	}
	q.shared++
	t.shared = true
	q.tasks = append(q.tasks, t)
	q.wake(1)
	return true
}

// hungry says whether somebody waits for work that is not there.
func (q *queue) hungry() bool { return q.waiting.Load() > 0 }

func (q *queue) wake(tasks int) {
	for range min(tasks, int(q.waiting.Load())) {
		q.changed.Signal()
	}
}

// take waits for a task for a worker; false means that there is none and there never will be.
func (q *queue) take(w *worker) (task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.tasks) == 0 {
		if q.working == 0 || q.closed {
			q.changed.Broadcast()
			return task{}, false
		}
		q.waiting.Add(1)
		q.changed.Wait()
		q.waiting.Add(-1)
	}
	last := len(q.tasks) - 1
	t := q.tasks[last]
	q.tasks[last] = task{} // nothing keeps the directory in memory
	q.tasks = q.tasks[:last]
	if t.shared {
		q.shared--
	}
	q.working++
	w.holds.Store(t.dir)
	return t, true
}

// done says that a task that was taken is done, and all that it brought is in the queue.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.working--
	if q.working == 0 && len(q.tasks) == 0 {
		q.changed.Broadcast()
	}
}

// close takes all tasks out and lets none in.
func (q *queue) close() []task {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.changed.Broadcast()
	tasks := q.tasks
	q.tasks = nil
	return tasks
}
