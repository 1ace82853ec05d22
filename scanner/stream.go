package main

import (
	"encoding/binary"
	"io"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// stream writes frames: a length of four bytes, the most significant first, and a MessagePack map. Who writes waits
// until the reader has room, and the scan with it, so nothing piles up here. A nil stream writes nothing.
type stream struct {
	mu    sync.Mutex
	out   io.Writer
	rows  columns
	frame packEncoder
	err   error // the first one; nothing is written after it
}

const (
	rowsAFrame      = 4096
	pathBytesAFrame = 1 << 20 // paths may be long: what deep trees have in common is in each of them
	progressPeriod  = 500 * time.Millisecond
	lengthBytes     = 4
)

// columns are the rows of a frame of entries, turned. They keep their memory for the next frame.
type columns struct {
	paths []byte // one after the other
	ends  []int  // where each path ends
	nodes []inode
}

// list adds entries of a directory to the next frame. Entries of one call are fewer than fit in a frame.
func (s *stream) list(d *directory, entries []found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	folder := d.path("")
	if folder != "" {
		folder += "/"
	}
	for i := range entries {
		if len(s.rows.ends) == rowsAFrame || len(s.rows.paths) >= pathBytesAFrame {
			s.writeRows()
		}
		s.rows.paths = append(append(s.rows.paths, folder...), entries[i].name...)
		s.rows.ends = append(s.rows.ends, len(s.rows.paths))
		s.rows.nodes = append(s.rows.nodes, entries[i].inode)
	}
}

func (s *stream) writeRows() {
	rows := &s.rows
	if len(rows.ends) == 0 {
		return
	}
	s.begin("entries", 3)
	s.frame.key("rows")
	s.frame.integer(int64(len(rows.ends)))
	s.frame.key("columns")
	s.frame.beginMap(13)
	s.column("path", func(i int) {
		start := 0
		if i > 0 {
			start = rows.ends[i-1]
		}
		s.frame.name(string(rows.paths[start:rows.ends[i]]))
	})
	s.column("type", func(i int) {
		if rows.nodes[i].kind() == unix.S_IFLNK {
			s.frame.text("l")
		} else {
			s.frame.text("f")
		}
	})
	s.column("uid", func(i int) { s.frame.unsigned(uint64(rows.nodes[i].uid)) })
	s.column("gid", func(i int) { s.frame.unsigned(uint64(rows.nodes[i].gid)) })
	s.column("mode", func(i int) { s.frame.unsigned(uint64(rows.nodes[i].mode)) })
	s.column("dev", func(i int) { s.frame.unsigned(rows.nodes[i].dev) })
	s.column("ino", func(i int) { s.frame.unsigned(rows.nodes[i].ino) })
	s.column("nlink", func(i int) { s.frame.unsigned(uint64(rows.nodes[i].nlink)) })
	s.column("size", func(i int) { s.frame.integer(rows.nodes[i].apparent) })
	s.column("allocated", func(i int) { s.frame.integer(rows.nodes[i].allocated) })
	s.column("atime_ns", func(i int) { s.nanoseconds(rows.nodes[i].atime) })
	s.column("mtime_ns", func(i int) { s.nanoseconds(rows.nodes[i].mtime) })
	s.column("ctime_ns", func(i int) { s.nanoseconds(rows.nodes[i].ctime) })
	s.write()
	*rows = columns{rows.paths[:0], rows.ends[:0], rows.nodes[:0]}
}

func (s *stream) column(name string, value func(i int)) {
	s.frame.key(name)
	s.frame.beginList(len(s.rows.ends))
	for i := range s.rows.ends {
		value(i)
	}
}

func (s *stream) nanoseconds(t timestamp) {
	value, negative := t.inNanoseconds()
	if negative {
		s.frame.integer(-int64(value))
	} else {
		s.frame.unsigned(value)
	}
}

// progress writes how far the scan is, unless the reader is busy with another frame.
func (s *stream) progress(p *progress, elapsed time.Duration) {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	s.begin("progress", 6)
	s.frame.key("entries")
	s.frame.integer(p.entries.Load())
	s.frame.key("directories")
	s.frame.integer(p.directories.Load())
	s.frame.key("files")
	s.frame.integer(p.files.Load())
	s.frame.key("apparent_bytes")
	s.frame.integer(p.apparent.Load())
	s.frame.key("seconds")
	s.frame.real(elapsed.Seconds())
	s.write()
}

// document writes the last frame. It may be long, so it is encoded twice: to know its length, and to write it.
func (s *stream) document(d *document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeRows()
	if s.err != nil {
		return s.err
	}
	counted := &packEncoder{outlet{to: io.Discard}}
	d.encodeFrame(counted)
	written := &packEncoder{outlet{to: s.out}}
	written.out = binary.BigEndian.AppendUint32(nil, uint32(counted.passed))
	d.encodeFrame(written)
	return written.err
}

func (d *document) encodeFrame(e *packEncoder) {
	e.beginMap(1 + documentKeys)
	e.key("kind")
	e.text("document")
	d.encodeMembers(e)
	e.flush()
}

func (s *stream) begin(kind string, members int) {
	s.frame.out = append(s.frame.out[:0], make([]byte, lengthBytes)...)
	s.frame.beginMap(members)
	s.frame.key("kind")
	s.frame.text(kind)
}

func (s *stream) write() {
	binary.BigEndian.PutUint32(s.frame.out, uint32(len(s.frame.out)-lengthBytes))
	if s.err == nil {
		_, s.err = s.out.Write(s.frame.out)
	}
}
