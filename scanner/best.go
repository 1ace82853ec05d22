package main

import (
	"slices"
	"sync"
	"sync/atomic"
)

// best keeps the first `limit` of the items offered to it, in the order of compare, and counts the rest.
type best[T any] struct {
	limit   int
	compare func(a, b *T) int
	weight  func(item *T) int64 // the number that compare looks at first, largest first
	keep    func(item *T)       // called for what is kept before the offer ends; may be nil

	mu      sync.Mutex
	heap    []T // the last in order is on top
	leftOut int64
	floor   atomic.Int64 // what weighs less need not be offered
}

func newBest[T any](limit int, weight func(*T) int64, compare func(a, b *T) int) *best[T] {
	b := &best[T]{limit: limit, compare: compare, weight: weight}
	b.floor.Store(-1)
	if limit == 0 {
		b.floor.Store(1<<63 - 1)
	}
	return b
}

// wants says whether an item of this weight has a chance.
func (b *best[T]) wants(weight int64) bool { return weight >= b.floor.Load() }

// offer keeps an item if it is among the first. Where `same` finds another form of it, only the one that comes first
// is kept.
func (b *best[T]) offer(item *T, same func(*T) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if same != nil {
		if at := slices.IndexFunc(b.heap, func(kept T) bool { return same(&kept) }); at >= 0 {
			if b.compare(item, &b.heap[at]) < 0 {
				b.set(at, item)
				b.down(at)
			}
			return
		}
	}
	switch {
	case len(b.heap) < b.limit:
		b.heap = append(b.heap, *item)
		b.set(len(b.heap)-1, item)
		b.up(len(b.heap) - 1)
	case b.limit > 0 && b.compare(item, &b.heap[0]) < 0:
		b.leftOut++
		b.set(0, item)
		b.down(0)
	default:
		b.leftOut++
	}
	if len(b.heap) == b.limit && b.limit > 0 {
		b.floor.Store(b.weight(&b.heap[0]))
	}
}

// sorted returns what was kept, the first first. Nothing can be offered after it.
func (b *best[T]) sorted() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortFunc(b.heap, func(x, y T) int { return b.compare(&x, &y) })
	return b.heap
}

func (b *best[T]) set(at int, item *T) {
	b.heap[at] = *item
	if b.keep != nil {
		b.keep(&b.heap[at])
	}
}

func (b *best[T]) up(at int) {
	for at > 0 {
		above := (at - 1) / 2
		if b.compare(&b.heap[at], &b.heap[above]) <= 0 {
			return
		}
		b.heap[at], b.heap[above] = b.heap[above], b.heap[at]
		at = above
	}
}

func (b *best[T]) down(at int) {
	for {
		last := at
		for child := 2*at + 1; child <= 2*at+2 && child < len(b.heap); child++ {
			if b.compare(&b.heap[child], &b.heap[last]) > 0 {
				last = child
			}
		}
		if last == at {
			return
		}
		b.heap[at], b.heap[last] = b.heap[last], b.heap[at]
		at = last
	}
}
