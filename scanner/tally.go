package main

import (
	"math"
	"sync"
)

// size is what files take.
type size struct {
	files     int64
	apparent  int64
	allocated int64
}

func (s *size) add(t size) {
	s.files += t.files
	s.apparent = plus(s.apparent, t.apparent)
	s.allocated += t.allocated
}

// plus adds apparent sizes. Sparse files have any size, those of two can be more than a number holds: the sum stays at
// the largest then, so that nobody can make it small.
func plus(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// usage is what files take, and which share of it is old.
type usage struct {
	size
	oldFiles int64
	oldBytes int64
}

func (u *usage) add(v usage) {
	u.size.add(v.size)
	u.oldFiles += v.oldFiles
	u.oldBytes = plus(u.oldBytes, v.oldBytes)
}

func (u usage) negated() usage {
	return usage{size{-u.files, -u.apparent, -u.allocated}, -u.oldFiles, -u.oldBytes}
}

// tally is usage and the entries that are no files.
type tally struct {
	usage
	directories int64
	other       int64
}

func (t *tally) add(u tally) {
	t.usage.add(u.usage)
	t.directories += u.directories
	t.other += u.other
}

// An owner is a pair of user and group: one look-up an entry serves both listings.
type owner struct {
	uid uint32
	gid uint32
}

// owned is what an owner has.
type owned struct {
	owner
	tally
	agedFiles  int64 // files whose age is known
	ageSeconds int64 // the sum of their ages
}

func (o *owned) add(p *owned) {
	o.tally.add(p.tally)
	o.agedFiles += p.agedFiles
	o.ageSeconds += p.ageSeconds
}

// ownerTable finds what an owner has. It keeps its memory when it is emptied.
type ownerTable struct {
	list   []owned
	recent [64]uint16 // position in list, plus one, of an owner that was looked up before
}

func (t *ownerTable) find(o owner) *owned {
	slot := &t.recent[(o.uid*31+o.gid)%uint32(len(t.recent))]
	if at := int(*slot) - 1; at >= 0 && at < len(t.list) && t.list[at].owner == o {
		return &t.list[at]
	}
	for at := range t.list {
		if t.list[at].owner == o {
			*slot = uint16(at + 1)
			return &t.list[at]
		}
	}
	t.list = append(t.list, owned{owner: o})
	*slot = uint16(len(t.list))
	return &t.list[len(t.list)-1]
}

func (t *ownerTable) clear() { t.list = t.list[:0] }

// A row is what lies below a directory, rolled up, and whose it is.
type row struct {
	mu sync.Mutex
	tally
	users userTable
}

// absorb adds the row of a child that is complete.
func (r *row) absorb(child *row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.add(child.tally)
	for i := range child.users.list {
		r.users.find(child.users.list[i].uid).add(child.users.list[i].usage)
	}
}

type userUsage struct {
	uid uint32
	usage
}

// userTable finds the usage of a user; most directories have one or few.
type userTable struct {
	list  []userUsage
	index map[uint32]int
}

const indexFrom = 16 // so many users are found faster by an index

func (t *userTable) find(uid uint32) *usage {
	if t.index != nil {
		if at, known := t.index[uid]; known {
			return &t.list[at].usage
		}
	} else {
		for at := range t.list {
			if t.list[at].uid == uid {
				return &t.list[at].usage
			}
		}
	}
	t.list = append(t.list, userUsage{uid: uid})
	switch {
	case t.index != nil:
		t.index[uid] = len(t.list) - 1
	case len(t.list) >= indexFrom:
		t.index = make(map[uint32]int, 2*indexFrom)
		for at := range t.list {
			t.index[t.list[at].uid] = at
		}
	}
	return &t.list[len(t.list)-1].usage
}
