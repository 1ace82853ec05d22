package main

import (
	"cmp"
	"sync"
	"sync/atomic"
)

// A directory is known from when its parent listed it until all below it is counted. Only directories that are waited
// for are in memory, whatever the size of the tree.
type directory struct {
	parent *directory
	name   string
	uid    uint32
	depth  int32
	row    *row // its own, or that of the ancestor at the greatest depth that is reported

	// pending counts what keeps it from being complete: its reading, parts of it that other threads work on, children
	// that are not complete, and hard links that may yet belong to another directory.
	pending atomic.Int32
	own     size // of the files that lie directly in it; guarded by row.mu
	started bool // only the task that reads it looks at this

	mu      sync.Mutex // guards what follows; a child's is locked before its parent's
	fd      int
	users   int32       // calls that use fd now, and tasks that will
	waiting int32       // children that have yet to be opened through fd
	parked  atomic.Bool // it is in the ring of idle descriptors
}

const noDescriptor = -1

func newDirectory(parent *directory, name string, uid uint32, rollup int32) *directory {
	child := &directory{parent: parent, name: name, uid: uid, fd: noDescriptor}
	child.pending.Store(1)
	if parent != nil {
		child.depth = parent.depth + 1
		child.row = parent.row
	}
	if child.depth <= rollup {
		child.row = &row{}
	}
	return child
}

// path gives the names below the root, with the name of an entry where there is one; "" is the root itself.
func (d *directory) path(name string) string {
	length := len(name)
	for at := d; at.parent != nil; at = at.parent {
		length += len(at.name) + 1
	}
	if name == "" && length > 0 {
		length--
	}
	path := make([]byte, length)
	end := length
	if name != "" {
		end -= len(name)
		copy(path[end:], name)
	}
	for at := d; at.parent != nil; at = at.parent {
		if end < length {
			end--
			path[end] = '/'
		}
		end -= len(at.name)
		copy(path[end:], at.name)
	}
	return string(path)
}

// comparePaths says which of two directories comes first when their paths are compared name by name, a parent before
// its children. It is the order that decides wherever sizes are equal, so that threads never change a result.
func comparePaths(a, b *directory) int {
	if a == b {
		return 0
	}
	deeper := int(a.depth - b.depth)
	for a.depth > b.depth {
		a = a.parent
	}
	for b.depth > a.depth {
		b = b.parent
	}
	if a == b {
		return deeper
	}
	for a.parent != b.parent {
		a, b = a.parent, b.parent
	}
	return cmp.Compare(a.name, b.name)
}

// compareEntries says which of two entries comes first: the one in the first directory, and in one directory the one
// with the first name.
func compareEntries(a *directory, aName string, b *directory, bName string) int {
	return cmp.Or(comparePaths(a, b), cmp.Compare(aName, bName))
}
