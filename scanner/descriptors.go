package main

import (
	"sync"

	"golang.org/x/sys/unix"
)

// descriptors opens directories relative to their parents and bounds how many stay open.
//
// A directory's descriptor is needed until each of its children has been opened. In a deep tree with something beside
// every step those would be thousands, so only the latest ones stay open while nobody uses them. A directory whose
// descriptor was closed is opened again, from its nearest ancestor that has one, when a child needs it.
type descriptors struct {
	kernel *kernel
	root   inode

	mu   sync.Mutex
	ring []*directory // idle, with children that wait; the oldest at next
	next int
}

// errAcross is the error of a directory that turned out to lie on another file system when it was opened.
const errAcross = unix.EXDEV

func newDescriptors(kernel *kernel, root inode, idle int) *descriptors {
	return &descriptors{kernel: kernel, root: root, ring: make([]*directory, idle)}
}

// acquire makes sure that d.fd is open, and stays open until release.
func (s *descriptors) acquire(d *directory) unix.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd == noDescriptor {
		if errno := s.open(d); errno != 0 {
			return errno
		}
	}
	d.users++
	return 0
}

func (s *descriptors) open(d *directory) unix.Errno {
	if errno := s.acquire(d.parent); errno != 0 {
		return errno
	}
	fd, errno := s.openChild(d.parent.fd, d.name)
	s.release(d.parent)
	if errno == 0 {
		d.fd = fd
	}
	return errno
}

// openChild opens a directory unless something was mounted on it since it was looked at.
func (s *descriptors) openChild(fd int, name string) (int, unix.Errno) {
	if s.kernel.openat2 {
		return s.kernel.openBeneath(fd, name)
	}
	child, errno := s.kernel.open(fd, name)
	if errno != 0 {
		return child, errno
	}
	var found inode
	if errno = s.kernel.status(child, &found); errno == 0 && !s.onSameMount(&found) {
		errno = errAcross
	}
	if errno != 0 {
		_ = unix.Close(child)
	}
	return child, errno
}

func (s *descriptors) onSameMount(n *inode) bool {
	return n.dev == s.root.dev && n.mount == s.root.mount
}

// release is the counterpart of acquire.
func (s *descriptors) release(d *directory) {
	d.mu.Lock()
	d.users--
	idle := d.users == 0
	if idle && d.waiting == 0 {
		d.close()
		idle = false
	}
	d.mu.Unlock()
	if idle && d.parked.CompareAndSwap(false, true) {
		s.park(d)
	}
}

// expect says that so many children of an open directory will be opened.
func (s *descriptors) expect(d *directory, children int) {
	d.mu.Lock()
	d.waiting += int32(children)
	d.mu.Unlock()
}

// arrived says that a child of d was opened, or never will be.
func (s *descriptors) arrived(d *directory) {
	d.mu.Lock()
	d.waiting--
	if d.waiting == 0 && d.users == 0 {
		d.close()
	}
	d.mu.Unlock()
}

func (s *descriptors) park(d *directory) {
	s.mu.Lock()
	oldest := s.ring[s.next]
	s.ring[s.next] = d
	s.next = (s.next + 1) % len(s.ring)
	s.mu.Unlock()
	if oldest == nil {
		return
	}
	oldest.parked.Store(false) // whoever uses it now parks it again
	// Whoever holds the lock may wait for one that this goroutine holds; and it is in use, so not to be closed.
	if oldest.mu.TryLock() {
		if oldest.users == 0 {
			oldest.close()
		}
		oldest.mu.Unlock()
	}
}

func (d *directory) close() {
	if d.fd != noDescriptor {
		_ = unix.Close(d.fd)
		d.fd = noDescriptor
	}
}
