package main

import "sync"

// links knows the files with several names, so that each counts once: to its owner, as every file, and to the one
// directory whose path comes first among those that hold a name of it. That is known only when all names were seen, so
// until then the directory that seems to be it is kept from being complete.
//
// A file is forgotten when its last name was seen; names outside the tree are never seen.
type links struct {
	mu    sync.Mutex
	known map[uint64]link // by inode number: all of a scan lies on one device
}

type link struct {
	dir  *directory
	left uint32 // names that were not seen
}

// A sighting is what one more name of a file changes.
type sighting struct {
	first    bool       // the file is new and counts here
	from     *directory // it counted there, and counts here from now on
	released *directory // it no longer waits for this file
}

// see takes note of a name in a directory, which its caller keeps from being complete meanwhile.
func (l *links) see(n *inode, dir *directory) sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen, known := l.known[n.ino]
	if !known {
		l.known[n.ino] = link{dir, n.nlink - 1}
		dir.pending.Add(1)
		return sighting{first: true}
	}
	var change sighting
	if comparePaths(dir, seen.dir) < 0 {
		dir.pending.Add(1)
		change.from, change.released = seen.dir, seen.dir
		seen.dir = dir
	}
	seen.left--
	if seen.left > 0 {
		l.known[n.ino] = seen
		return change
	}
	delete(l.known, n.ino)
	if change.released == nil {
		change.released = seen.dir
	} else {
		dir.pending.Add(-1) // the caller still holds it
	}
	return change
}

// forget returns the directory of every file some of whose names were never seen.
func (l *links) forget() []*directory {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := make([]*directory, 0, len(l.known))
	for _, seen := range l.known {
		waiting = append(waiting, seen.dir)
	}
	clear(l.known)
	return waiting
}
