package main

import (
	"sync"
	"time"
)

// pace spares a busy server: it lets so many entries pass a second, over all threads.
type pace struct {
	perEntry time.Duration
	stopped  <-chan struct{}

	mu   sync.Mutex
	next time.Time
}

const shortestSleep = 5 * time.Millisecond // a shorter one would cost more than it waits

func newPace(perSecond int, stopped <-chan struct{}) *pace {
	if perSecond == 0 {
		return nil
	}
	return &pace{perEntry: time.Second / time.Duration(perSecond), stopped: stopped}
}

// wait is called before each entry.
func (p *pace) wait() {
	if p == nil {
		return
	}
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	ahead := p.next.Sub(now)
	p.next = p.next.Add(p.perEntry)
	p.mu.Unlock()
	if ahead < shortestSleep {
		return
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.stopped:
	}
}
