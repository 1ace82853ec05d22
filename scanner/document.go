package main

import (
	"cmp"
	"math"
	"os"
	"slices"
	"strings"
)

// A document is the result of a scan, in the order in which it is written. README.md says what each key means.
type document struct {
	path          string
	host          string
	nowSeconds    int64
	seconds       float64
	threads       int
	entries       int64
	all           tally
	oldDays       int64
	ageBy         ageBy
	partialReason string // "" where the scan is whole

	unreadableDirectories int64
	skippedMounts         int64
	fileSystem            fileSystem
	users                 []owned
	groups                []owned
	directories           []reported
	directoriesLeftOut    int64
	directoryUsers        []reportedUser
	directoryUsersLeftOut int64
	ages                  ageBuckets
	sizes                 sizeBuckets
	topFiles              []topFile
	topDirectories        []topDirectory
	errors                []failure
}

// documentKeys is how many members encodeMembers writes.
const documentKeys = 32

// document sums up what the workers of a scan that has ended counted.
func (s *scan) document() *document {
	sum := totals{owners: make(map[owner]*owned)}
	for _, w := range s.workers {
		w.mu.Lock()
		sum.merge(&w.totals)
		w.mu.Unlock()
	}
	host, _ := os.Hostname()
	d := &document{
		path: s.options.path, host: host, nowSeconds: s.calendar.nowSeconds,
		seconds: math.Round(s.elapsed().Seconds()*1000) / 1000, threads: s.options.threads,
		entries: sum.entries + 1, // PATH itself
		oldDays: s.options.oldDays, ageBy: s.options.ageBy, partialReason: s.partialReason(),
		unreadableDirectories: s.failures.unreadable(), skippedMounts: sum.mounts, fileSystem: s.fileSystem,
		users:  grouped(sum.owners, func(o owner) owner { return owner{uid: o.uid} }),
		groups: grouped(sum.owners, func(o owner) owner { return owner{gid: o.gid} }),
		ages:   sum.ages, sizes: sum.sizes,
		topFiles: s.topFiles.sorted(), topDirectories: s.topDirectories.sorted(), errors: s.failures.sorted(),
	}
	for i := range d.users {
		d.all.add(d.users[i].tally)
	}
	d.directories, d.directoriesLeftOut = s.rows.sorted(), s.rows.leftOut
	d.chooseUsers(s.userRows.sorted())
	return d
}

// chooseUsers takes the rows of directories that are given.
func (d *document) chooseUsers(rows []reportedUser) {
	given := make(map[*directory]bool, len(d.directories))
	for i := range d.directories {
		given[d.directories[i].dir] = true
		d.directoryUsersLeftOut += int64(d.directories[i].users)
	}
	d.directoryUsers = slices.DeleteFunc(rows, func(r reportedUser) bool { return !given[r.dir] })
	d.directoryUsersLeftOut -= int64(len(d.directoryUsers))
}

func (s *scan) partialReason() string {
	s.failures.mu.Lock()
	defer s.failures.mu.Unlock()
	switch {
	case s.stopped.Load():
		return s.reason
	case s.failures.grave:
		return unreadable
	case len(s.failures.kinds) > 0:
		return changed
	default:
		return ""
	}
}

// grouped sums up by one half of the owner, what takes most first.
func grouped(owners map[owner]*owned, half func(owner) owner) []owned {
	sums := make(map[owner]*owned)
	for key, o := range owners {
		key = half(key)
		if sums[key] == nil {
			sums[key] = &owned{owner: key}
		}
		sums[key].add(o)
	}
	list := make([]owned, 0, len(sums))
	for _, sum := range sums {
		list = append(list, *sum)
	}
	slices.SortFunc(list, func(a, b owned) int {
		return cmp.Or(cmp.Compare(b.allocated, a.allocated), cmp.Compare(a.uid, b.uid), cmp.Compare(a.gid, b.gid))
	})
	return list
}

func (d *document) encode(e encoder) {
	e.beginMap(documentKeys)
	d.encodeMembers(e)
	e.endMap()
}

func (d *document) encodeMembers(e encoder) {
	e.key("version")
	e.text(version)
	e.key("path")
	e.name(d.path)
	e.key("host")
	text(e, d.host)
	number(e, "now_seconds", d.nowSeconds)
	e.key("seconds")
	e.real(d.seconds)
	number(e, "threads", int64(d.threads))
	number(e, "entries", d.entries)
	encodeTotals(e, &d.all)
	number(e, "old_days", d.oldDays)
	e.key("age_by")
	e.text(string(d.ageBy))
	e.key("partial")
	e.boolean(d.partialReason != "")
	e.key("partial_reason")
	text(e, d.partialReason)
	number(e, "unreadable_directories", d.unreadableDirectories)
	number(e, "skipped_mounts", d.skippedMounts)
	e.key("filesystem")
	d.fileSystem.encode(e)
	list(e, "users", d.users, func(o *owned) { encodeOwned(e, "uid", o.uid, o) })
	list(e, "groups", d.groups, func(o *owned) { encodeOwned(e, "gid", o.gid, o) })
	list(e, "directories", d.directories, func(r *reported) {
		e.beginMap(10)
		e.key("path")
		e.name(r.dir.path(""))
		number(e, "depth", int64(r.dir.depth))
		number(e, "uid", int64(r.dir.uid))
		encodeTally(e, &r.tally)
		e.endMap()
	})
	number(e, "directories_left_out", d.directoriesLeftOut)
	list(e, "directory_users", d.directoryUsers, func(r *reportedUser) {
		e.beginMap(7)
		e.key("path")
		e.name(r.dir.path(""))
		number(e, "uid", int64(r.uid))
		encodeSize(e, r.size)
		number(e, "old_files", r.oldFiles)
		number(e, "old_bytes", r.oldBytes)
		e.endMap()
	})
	number(e, "directory_users_left_out", d.directoryUsersLeftOut)
	d.encodeBuckets(e)
	list(e, "top_files", d.topFiles, func(f *topFile) {
		e.beginMap(6)
		e.key("path")
		e.name(f.dir.path(f.name))
		number(e, "uid", int64(f.uid))
		number(e, "apparent_bytes", f.apparent)
		number(e, "allocated_bytes", f.allocated)
		number(e, "atime_seconds", f.atime.seconds)
		number(e, "mtime_seconds", f.mtime.seconds)
		e.endMap()
	})
	list(e, "top_directories", d.topDirectories, func(t *topDirectory) {
		e.beginMap(5)
		e.key("path")
		e.name(t.dir.path(""))
		number(e, "uid", int64(t.dir.uid))
		encodeSize(e, t.size)
		e.endMap()
	})
	list(e, "errors", d.errors, func(f *failure) {
		e.beginMap(3)
		e.key("kind")
		e.text(f.kind)
		number(e, "count", f.count)
		e.key("example")
		e.name(f.dir.path(f.name))
		e.endMap()
	})
}

func (d *document) encodeBuckets(e encoder) {
	e.key("ages")
	e.beginList(len(d.ages))
	for i := range d.ages {
		e.beginMap(5)
		encodeBounds(e, "days", ageDays[:], i)
		encodeSize(e, d.ages[i])
		e.endMap()
	}
	e.endList()
	e.key("sizes")
	e.beginList(len(d.sizes))
	for i := range d.sizes {
		e.beginMap(5)
		encodeBounds(e, "bytes", sizeBounds[:], i)
		encodeSize(e, d.sizes[i])
		e.endMap()
	}
	e.endList()
}

// encodeBounds writes where a bucket begins and ends; the one after the last has neither.
func encodeBounds(e encoder, unit string, bounds []int64, at int) {
	for side, name := range [...]string{"from_" + unit, "to_" + unit} {
		e.key(name)
		if at < len(bounds) && at+side < len(bounds) {
			e.integer(bounds[at+side])
		} else {
			e.null()
		}
	}
}

func (fs *fileSystem) encode(e encoder) {
	e.beginMap(8)
	e.key("type")
	text(e, fs.kind)
	e.key("device")
	text(e, fs.device)
	e.key("options")
	text(e, fs.options)
	number(e, "total_bytes", fs.totalBytes)
	number(e, "free_bytes", fs.freeBytes)
	number(e, "available_bytes", fs.availableBytes)
	number(e, "total_inodes", fs.totalInodes)
	number(e, "free_inodes", fs.freeInodes)
	e.endMap()
}

func encodeOwned(e encoder, key string, id uint32, o *owned) {
	e.beginMap(9)
	number(e, key, int64(id))
	encodeTally(e, &o.tally)
	e.key("mean_age_seconds")
	if o.agedFiles == 0 {
		e.null()
	} else {
		e.integer(o.ageSeconds / o.agedFiles)
	}
	e.endMap()
}

// encodeTotals is encodeTally for the document itself, where "directories" is the list.
func encodeTotals(e encoder, t *tally) {
	encodeCounts(e, "directory_count", t)
}

func encodeTally(e encoder, t *tally) {
	encodeCounts(e, "directories", t)
}

func encodeCounts(e encoder, directories string, t *tally) {
	number(e, "files", t.files)
	number(e, directories, t.directories)
	number(e, "other", t.other)
	number(e, "apparent_bytes", t.apparent)
	number(e, "allocated_bytes", t.allocated)
	number(e, "old_files", t.oldFiles)
	number(e, "old_bytes", t.oldBytes)
}

func encodeSize(e encoder, s size) {
	number(e, "files", s.files)
	number(e, "apparent_bytes", s.apparent)
	number(e, "allocated_bytes", s.allocated)
}

func number(e encoder, key string, value int64) {
	e.key(key)
	e.integer(value)
}

// text writes what is no file's name: "" means that it is not known, and what is no UTF-8 is not kept.
func text(e encoder, value string) {
	if value == "" {
		e.null()
		return
	}
	e.text(strings.ToValidUTF8(value, "\uFFFD"))
}

func list[T any](e encoder, key string, items []T, encode func(*T)) {
	e.key(key)
	e.beginList(len(items))
	for i := range items {
		encode(&items[i])
	}
	e.endList()
}
