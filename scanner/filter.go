package main

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A filter says which entries are listed: regular files and symbolic links, never anything else. A nil filter lists
// nothing.
type filter struct {
	calendar *calendar
	aged     bool // only what is known to be as old as this
	seconds  int64
	minBytes int64
	uids     []uint32 // of these users, where there are any
}

func (f *filter) wants(n *inode) bool {
	if f == nil || (n.kind() != unix.S_IFREG && n.kind() != unix.S_IFLNK) || n.apparent < f.minBytes {
		return false
	}
	if len(f.uids) > 0 && !slices.Contains(f.uids, n.uid) {
		return false
	}
	if !f.aged {
		return true
	}
	age, known := f.calendar.age(n)
	return known && age >= f.seconds
}
