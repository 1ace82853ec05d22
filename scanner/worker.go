package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	bufferBytes    = 32 << 10 // some thousand entries
	entriesAtOnce  = 1024     // a thread takes at most so many at a time, divided by the number of threads,
	entriesAtLeast = 16       // but so many at least
)

// A worker is one thread of a scan. What it counts becomes part of the totals a batch at a time, under its lock; so one
// that hangs in a system call can be left behind when time is up, without what it had not finished.
type worker struct {
	scan  *scan
	batch batch
	chunk int // entries it does before it lets others have the rest

	candidate topFile // what rank offers: here, so that it costs no memory

	// holds is the directory that it keeps from being complete. Whoever takes it out of here gives that back.
	holds atomic.Pointer[directory]

	mu        sync.Mutex
	abandoned bool
	totals    totals
}

// A batch is what one worker found in one go in one directory.
type batch struct {
	entries  int64
	mounts   int64
	files    size
	other    int64
	deep     int64 // directories too deep for a row of their own
	owners   ownerTable
	ages     ageBuckets
	sizes    sizeBuckets
	links    []found // files with several names
	listed   []found
	children []*directory
}

// found is an entry that is looked at again when its batch is settled. The name lies in the buffer.
type found struct {
	name []byte
	inode
}

func (b *batch) clear() {
	clear(b.children)
	*b = batch{
		owners:   ownerTable{list: b.owners.list[:0], recent: b.owners.recent},
		links:    b.links[:0],
		listed:   b.listed[:0],
		children: b.children[:0],
	}
}

// A buffer holds what getdents64 gave, for as long as somebody works on a part of it.
type buffer struct {
	data  [bufferBytes]byte
	users atomic.Int32
}

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func takeBuffer() *buffer {
	b := buffers.Get().(*buffer)
	b.users.Store(1)
	return b
}

func (b *buffer) release() {
	if b.users.Add(-1) == 0 {
		buffers.Put(b)
	}
}

func newWorker(s *scan) *worker {
	w := &worker{scan: s, chunk: bufferBytes}
	if threads := s.options.threads; threads > 1 {
		w.chunk = max(entriesAtLeast, entriesAtOnce/threads)
	}
	w.totals.owners = make(map[owner]*owned)
	return w
}

func (w *worker) run() {
	for {
		t, more := w.scan.queue.take(w)
		if !more {
			return
		}
		switch {
		case t.buffer != nil:
			w.entries(t.dir, t.buffer, t.part)
			t.buffer.release()
			w.scan.descriptors.release(t.dir)
			w.finish()
		case w.start(t.dir):
			w.read(t.dir)
		default:
			w.finish()
		}
		w.scan.queue.done()
	}
}

// finish gives back the directory that it holds.
func (w *worker) finish() {
	if dir := w.holds.Swap(nil); dir != nil {
		w.scan.finish(dir)
	}
}

// start opens a directory unless that was done.
func (w *worker) start(d *directory) bool {
	if d.started {
		return true
	}
	d.started = true
	if w.scan.stopped.Load() {
		w.scan.descriptors.arrived(d.parent)
		return false
	}
	errno := w.scan.descriptors.acquire(d)
	w.scan.descriptors.arrived(d.parent)
	if errno != 0 {
		w.scan.failures.directory(errno, d)
	}
	return errno == 0
}

// read reads a directory to its end, or hands on the reading and does its share of what was read so far.
func (w *worker) read(d *directory) {
	for !w.scan.stopped.Load() {
		b := takeBuffer()
		length, errno := w.scan.kernel.list(d.fd, b.data[:])
		if errno != 0 {
			w.scan.failures.directory(errno, d)
		}
		if errno != 0 || length == 0 {
			b.release()
			break
		}
		// A buffer that is half full is rarely the last one. Others, or this thread later, go on reading when what
		// lies deeper is done, so that a wide tree does not fill the queue. Some file systems give little at a time:
		// there others go on whenever they have nothing to do.
		handedOn := (length > bufferBytes/2 || w.scan.queue.hungry()) && w.handOn(d)
		w.entries(d, b, b.data[:length])
		b.release()
		if handedOn {
			break
		}
	}
	w.scan.descriptors.release(d)
	w.finish()
}

// handOn lets others go on reading a directory.
func (w *worker) handOn(d *directory) bool {
	d.pending.Add(1)
	w.scan.descriptors.acquire(d) // cannot fail: it is open
	if w.scan.queue.offer(task{dir: d}) {
		return true
	}
	w.scan.descriptors.release(d)
	d.pending.Add(-1)
	return false
}

// entries counts what was read of a directory. Whenever others have nothing to do, they get all but a chunk of it.
func (w *worker) entries(d *directory, b *buffer, part []byte) {
	for len(part) > 0 {
		mine := part
		if w.scan.queue.hungry() {
			if rest := skipEntries(part, w.chunk); len(rest) > 0 && w.share(d, b, rest) {
				mine = part[:len(part)-len(rest)]
			}
		}
		part = w.look(d, mine)
		w.settle(d)
	}
}

func skipEntries(part []byte, count int) []byte {
	for ; count > 0 && len(part) > 0; count-- {
		_, part = nextEntry(part)
	}
	return part
}

func (w *worker) share(d *directory, b *buffer, part []byte) bool {
	d.pending.Add(1)
	b.users.Add(1)
	w.scan.descriptors.acquire(d) // cannot fail: it is open
	if w.scan.queue.offer(task{dir: d, buffer: b, part: part}) {
		return true
	}
	w.scan.descriptors.release(d)
	b.users.Add(-1)
	d.pending.Add(-1)
	return false
}

// look asks the kernel about each entry of a chunk, and returns what follows that.
func (w *worker) look(d *directory, part []byte) []byte {
	s := w.scan
	var name []byte
	var node inode
	for count := 0; len(part) > 0 && count < w.chunk; count++ {
		name, part = nextEntry(part)
		if isDots(name) || (d.parent == nil && s.skipped(name)) {
			continue
		}
		s.pace.wait()
		if s.stopped.Load() {
			return nil
		}
		if errno := s.kernel.entry(d.fd, &name[0], &node); errno != 0 {
			s.failures.entry(errno, d, name)
			continue
		}
		if !s.descriptors.onSameMount(&node) || node.automount || s.mounts.covers(d, name) {
			w.batch.mounts++
			continue
		}
		w.batch.entries++
		w.count(d, name, &node)
	}
	return part
}

func (w *worker) count(d *directory, name []byte, node *inode) {
	b := &w.batch
	switch kind := node.kind(); {
	case kind == unix.S_IFDIR:
		b.owners.find(owner{node.uid, node.gid}).directories++
		child := newDirectory(d, string(name), node.uid, w.scan.rollup)
		if child.row != d.row {
			child.row.directories = 1
		} else {
			b.deep++
		}
		b.children = append(b.children, child)
		return
	case kind != unix.S_IFREG:
		b.owners.find(owner{node.uid, node.gid}).other++
		b.other++
	case node.nlink > 1:
		b.links = append(b.links, found{name, *node})
	default:
		w.countFile(node)
		w.rank(d, name, node)
	}
	if w.scan.filter.wants(node) {
		b.listed = append(b.listed, found{name, *node})
	}
}

// countFile adds a file to the batch and returns what it takes.
func (w *worker) countFile(node *inode) usage {
	takes := size{1, node.apparent, node.allocated}
	b := &w.batch
	o := b.owners.find(owner{node.uid, node.gid})
	used := usage{size: takes}
	bucket := unknownAge
	if age, known := w.scan.calendar.age(node); known {
		bucket = ageBucket(age)
		o.agedFiles++
		o.ageSeconds += age
		if age >= w.scan.oldSeconds {
			used.oldFiles, used.oldBytes = 1, node.apparent
		}
	}
	o.usage.add(used)
	b.files.add(takes)
	b.ages[bucket].add(takes)
	b.sizes[sizeBucket(node.apparent)].add(takes)
	return used
}

// rank offers a file to the list of the largest.
func (w *worker) rank(d *directory, name []byte, node *inode) {
	top := w.scan.topFiles
	if !top.wants(node.allocated) {
		return
	}
	var same func(*topFile) bool
	if node.nlink > 1 {
		same = func(kept *topFile) bool { return kept.ino == node.ino }
	}
	// The name lies in a buffer that is used again: it is copied if it is kept.
	w.candidate = topFile{dir: d, name: unsafe.String(&name[0], len(name)), inode: *node}
	top.offer(&w.candidate, same)
}

// settle makes the batch part of the totals and of its directory, and puts the directories in it into the queue.
func (w *worker) settle(d *directory) {
	s, b := w.scan, &w.batch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.abandoned {
		runtime.Goexit()
	}
	for i := range b.links {
		w.settleLink(d, &b.links[i])
	}
	d.row.mu.Lock()
	d.own.add(b.files)
	d.row.directories += b.deep
	d.row.other += b.other
	for i := range b.owners.list {
		o := &b.owners.list[i]
		if o.files > 0 {
			d.row.usage.add(o.usage)
			d.row.users.find(o.uid).add(o.usage)
		}
	}
	d.row.mu.Unlock()
	w.totals.add(b)
	s.seen.add(b)
	if len(b.listed) > 0 {
		s.stream.list(d, b.listed)
	}
	if len(b.children) > 0 {
		d.pending.Add(int32(len(b.children)))
		s.descriptors.expect(d, len(b.children))
		s.queue.push(b.children...)
	}
	b.clear()
}

// settleLink counts a file with several names where it belongs.
func (w *worker) settleLink(d *directory, file *found) {
	change := w.scan.links.see(&file.inode, d)
	switch {
	case change.first:
		w.countFile(&file.inode)
	case change.from != nil:
		used := w.scan.usageOf(&file.inode)
		change.from.credit(file.uid, used.negated())
		d.credit(file.uid, used)
	}
	if change.released != nil {
		w.scan.finish(change.released)
	}
	w.rank(d, file.name, &file.inode)
}

// credit adds what one user has to a directory, outside of any batch.
func (d *directory) credit(uid uint32, used usage) {
	d.row.mu.Lock()
	defer d.row.mu.Unlock()
	d.own.add(used.size)
	d.row.usage.add(used)
	d.row.users.find(uid).add(used)
}
