package main

import (
	"cmp"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// failures are the errors of a scan by kind, each with the example whose path comes first.
type failures struct {
	mu          sync.Mutex
	kinds       map[string]*failure
	directories int64 // that could not be read, or not to their end
	grave       bool  // something was wrong that is not explained by entries that went away
}

type failure struct {
	kind  string
	count int64
	dir   *directory // where the example lies
	name  string
}

// wentAway says whether an error means that the tree changed meanwhile.
func wentAway(errno unix.Errno) bool {
	return errno == unix.ENOENT || errno == unix.ENOTDIR || errno == unix.ELOOP || errno == errAcross
}

// directory takes note of a directory that cannot be read.
func (f *failures) directory(errno unix.Errno, d *directory) {
	if d.parent == nil {
		f.note(errno, d, "")
	} else {
		f.note(errno, d.parent, d.name)
	}
	if !wentAway(errno) {
		f.mu.Lock()
		f.directories++
		f.mu.Unlock()
	}
}

// entry takes note of an entry that cannot be looked at.
func (f *failures) entry(errno unix.Errno, d *directory, name []byte) {
	f.note(errno, d, string(name))
}

func (f *failures) note(errno unix.Errno, d *directory, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grave = f.grave || !wentAway(errno)
	kind := errnoName(errno)
	known := f.kinds[kind]
	if known == nil {
		f.kinds[kind] = &failure{kind, 1, d, name}
		return
	}
	known.count++
	if compareEntries(d, name, known.dir, known.name) < 0 {
		known.dir, known.name = d, name
	}
}

func (f *failures) sorted() []failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []failure
	for _, known := range f.kinds {
		list = append(list, *known)
	}
	slices.SortFunc(list, func(a, b failure) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.kind, b.kind))
	})
	return list
}

func (f *failures) unreadable() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.directories
}
