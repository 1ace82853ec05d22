package main

import (
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A scan counts everything below one directory, once.
type scan struct {
	options    options
	kernel     kernel
	fileSystem fileSystem
	calendar   calendar
	oldSeconds int64
	rollup     int32 // the greatest depth of a directory with a row of its own
	filter     *filter
	stream     *stream

	root        *directory
	rootNode    inode
	descriptors *descriptors
	mounts      *mountPoints
	queue       *queue
	pace        *pace
	links       links
	failures    failures
	workers     []*worker

	topFiles       *best[topFile]
	topDirectories *best[topDirectory]
	rows           *best[reported]
	userRows       *best[reportedUser]

	seen      progress
	started   time.Time
	stopped   atomic.Bool
	halt      chan struct{} // closed when stopped
	reason    string        // why it stopped; set before halt is closed
	once      sync.Once
	ended     sync.WaitGroup
	completed chan struct{} // closed when the root is
}

// The values of partial_reason.
const (
	interrupted = "interrupted"
	deadline    = "deadline"
	unreadable  = "unreadable" // the kernel gave an error
	changed     = "changed"    // entries went away, and nothing else was wrong
)

// patience is how long a scan that was stopped waits for system calls that do not return.
const patience = 2 * time.Second

type topFile struct {
	dir  *directory
	name string
	inode
}

type topDirectory struct {
	dir *directory
	size
}

type reported struct {
	dir   *directory
	users int // with files in it
	tally
}

type reportedUser struct {
	dir *directory
	userUsage
}

// newScan gets ready to scan an open directory.
func newScan(o options, fd int, root inode, k kernel, fs fileSystem, out *stream) *scan {
	s := &scan{
		options: o, kernel: k, fileSystem: fs, stream: out, rootNode: root,
		calendar:   calendar{nowSeconds: o.nowSeconds, by: o.ageBy, clock: o.clock},
		oldSeconds: o.oldDays * daySeconds,
		rollup:     int32(o.depth),
		filter:     o.filter(),
		started:    time.Now(),
		halt:       make(chan struct{}),
		completed:  make(chan struct{}),
		queue:      newQueue(4 * o.threads),
		links:      links{known: make(map[uint64]link)},
		failures:   failures{kinds: make(map[string]*failure)},
	}
	if s.filter != nil {
		s.filter.calendar = &s.calendar
	}
	s.descriptors = newDescriptors(&s.kernel, root, idleDescriptors(o.threads))
	s.mounts = newMountPoints(fd, root)
	s.pace = newPace(o.maxRate, s.halt)
	s.rank()
	s.root = newDirectory(nil, "", root.uid, s.rollup)
	s.root.fd, s.root.users, s.root.started = fd, 2, true // one user reads it, the other keeps it open
	s.root.row.directories = 1
	for range o.threads {
		s.workers = append(s.workers, newWorker(s))
	}
	s.workers[0].totals.owners[owner{root.uid, root.gid}] = &owned{
		owner: owner{root.uid, root.gid}, tally: tally{directories: 1},
	}
	s.seen.entries.Store(1)
	s.seen.directories.Store(1)
	return s
}

func (s *scan) rank() {
	s.topFiles = newBest(s.options.top,
		func(f *topFile) int64 { return f.allocated },
		func(a, b *topFile) int {
			return first(b.allocated-a.allocated, b.apparent-a.apparent, func() int {
				return compareEntries(a.dir, a.name, b.dir, b.name)
			})
		})
	s.topFiles.keep = func(f *topFile) { f.name = strings.Clone(f.name) }
	s.topDirectories = newBest(s.options.top,
		func(d *topDirectory) int64 { return d.allocated },
		func(a, b *topDirectory) int {
			return first(b.allocated-a.allocated, b.apparent-a.apparent, func() int { return comparePaths(a.dir, b.dir) })
		})
	s.rows = newBest(s.options.maxDirectories,
		func(r *reported) int64 { return r.allocated },
		func(a, b *reported) int {
			return first(b.allocated-a.allocated, 0, func() int { return comparePaths(a.dir, b.dir) })
		})
	s.userRows = newBest(s.options.maxDirectories*usersADirectory,
		func(r *reportedUser) int64 { return r.allocated },
		func(a, b *reportedUser) int {
			return first(b.allocated-a.allocated, 0, func() int {
				if a.dir == b.dir {
					return int(int64(a.uid) - int64(b.uid))
				}
				return comparePaths(a.dir, b.dir)
			})
		})
}

// usersADirectory is how many rows of directory_users there may be for each row of directories.
const usersADirectory = 3

// first gives the first difference that is not zero.
func first(a, b int64, otherwise func() int) int {
	switch {
	case a < 0 || (a == 0 && b < 0):
		return -1
	case a > 0 || b > 0:
		return 1
	default:
		return otherwise()
	}
}

// idleDescriptors is how many directories stay open while nobody uses them.
func idleDescriptors(threads int) int {
	const most, least, others = 256, 4, 32
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return least
	}
	// A thread holds two at a time, and each offered task may hold one.
	return int(min(most, max(least, int64(min(limit.Cur, 1<<20))-others-6*int64(threads))))
}

// stop ends the scan early; the first reason counts.
func (s *scan) stop(reason string) {
	s.once.Do(func() {
		s.reason = reason
		s.stopped.Store(true)
		close(s.halt)
	})
}

// run scans to the end, or until it is stopped.
func (s *scan) run() {
	if s.options.deadline > 0 {
		timer := time.AfterFunc(s.options.deadline, func() { s.stop(deadline) })
		defer timer.Stop()
	}
	s.queue.push(s.root)
	s.ended.Add(len(s.workers))
	for _, w := range s.workers {
		go func() {
			defer s.ended.Done()
			w.run()
		}()
	}
	all := make(chan struct{})
	go func() {
		s.ended.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-s.halt:
		select {
		case <-all:
		case <-time.After(patience):
			s.abandon()
		}
	}
	for _, dir := range s.links.forget() {
		s.finish(dir)
	}
	<-s.completed
}

// abandon goes on without the workers that hang in a system call, and does what they would do: nothing is read any
// more, so only the directories that wait have to be completed.
func (s *scan) abandon() {
	debug.SetGCPercent(-1) // the collector would wait for a worker that hangs in a raw system call
	for _, w := range s.workers {
		w.mu.Lock()
		w.abandoned = true
		w.mu.Unlock()
	}
	for _, t := range s.queue.close() {
		s.finish(t.dir)
	}
	for _, w := range s.workers {
		w.finish()
	}
}

// finish takes back one reason why a directory is not complete.
func (s *scan) finish(d *directory) {
	for d != nil && d.pending.Add(-1) == 0 {
		s.complete(d)
		d = d.parent
	}
}

// complete hands on what is known of a directory when nothing can change it any more.
func (s *scan) complete(d *directory) {
	if d.own.files > 0 && s.topDirectories.wants(d.own.allocated) {
		s.topDirectories.offer(&topDirectory{d, d.own}, nil)
	}
	r := d.row
	d.row = nil
	if d.depth > s.rollup {
		return
	}
	users := 0
	for _, user := range r.users.list {
		if user.files != 0 {
			users++
			s.userRows.offer(&reportedUser{d, user}, nil)
		}
	}
	s.rows.offer(&reported{d, users, r.tally}, nil)
	if d.parent != nil {
		d.parent.row.absorb(r)
	} else {
		close(s.completed)
	}
}

// usageOf is what a file takes.
func (s *scan) usageOf(n *inode) usage {
	used := usage{size: size{1, n.apparent, n.allocated}}
	if age, known := s.calendar.age(n); known && age >= s.oldSeconds {
		used.oldFiles, used.oldBytes = 1, n.apparent
	}
	return used
}

// skipped says whether an entry directly below PATH counts for nothing because its user said so.
func (s *scan) skipped(name []byte) bool {
	for _, skip := range s.options.skip {
		if skip == string(name) {
			return true
		}
	}
	return false
}

// totals are sums over all that a worker saw.
type totals struct {
	entries int64
	mounts  int64
	owners  map[owner]*owned
	ages    ageBuckets
	sizes   sizeBuckets
}

func (t *totals) add(b *batch) {
	t.entries += b.entries
	t.mounts += b.mounts
	t.ages.add(&b.ages)
	t.sizes.add(&b.sizes)
	for i := range b.owners.list {
		o := &b.owners.list[i]
		sum := t.owners[o.owner]
		if sum == nil {
			sum = &owned{owner: o.owner}
			t.owners[o.owner] = sum
		}
		sum.add(o)
	}
}

func (t *totals) merge(other *totals) {
	t.entries += other.entries
	t.mounts += other.mounts
	t.ages.add(&other.ages)
	t.sizes.add(&other.sizes)
	for key, o := range other.owners {
		if sum := t.owners[key]; sum != nil {
			sum.add(o)
		} else {
			copied := *o
			t.owners[key] = &copied
		}
	}
}

// progress is what a scan has seen so far.
type progress struct {
	entries     atomic.Int64
	directories atomic.Int64
	files       atomic.Int64
	apparent    atomic.Int64
}

func (p *progress) add(b *batch) {
	p.entries.Add(b.entries)
	p.directories.Add(int64(len(b.children)))
	p.files.Add(b.files.files)
	for {
		before := p.apparent.Load()
		if p.apparent.CompareAndSwap(before, plus(before, b.files.apparent)) {
			return
		}
	}
}

func (s *scan) elapsed() time.Duration { return time.Since(s.started) }
