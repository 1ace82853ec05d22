package main

import "math"

const daySeconds = 86400

var (
	ageDays    = [...]int64{0, 1, 7, 30, 90, 180, 365, 730}
	sizeBounds = [...]int64{0, 1, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20, 1 << 30, 16 << 30, 256 << 30}
)

// unknownAge is the bucket of files whose time lies in the future or before 1970.
const unknownAge = len(ageDays)

type (
	ageBuckets  [len(ageDays) + 1]size
	sizeBuckets [len(sizeBounds)]size
)

func (b *ageBuckets) add(other *ageBuckets) {
	for i := range b {
		b[i].add(other[i])
	}
}

func (b *sizeBuckets) add(other *sizeBuckets) {
	for i := range b {
		b[i].add(other[i])
	}
}

func ageBucket(seconds int64) int {
	at := len(ageDays) - 1
	for seconds < ageDays[at]*daySeconds {
		at--
	}
	return at
}

func sizeBucket(bytes int64) int {
	at := 0
	for at+1 < len(sizeBounds) && bytes >= sizeBounds[at+1] {
		at++
	}
	return at
}

// ageBy is the time that an age counts from.
type ageBy string

const (
	byNewest ageBy = "newest" // the later of access and change of content
	byAccess ageBy = "atime"
	byChange ageBy = "mtime"
)

// A calendar turns times into ages.
type calendar struct {
	nowSeconds int64
	clock      func() int64 // looked at where a time is later than nowSeconds: the file was written meanwhile
	by         ageBy
}

// age returns how old something is in seconds, and whether that can be believed: a time in the future or before 1970
// tells nothing, and what has it is never old.
func (c *calendar) age(n *inode) (seconds int64, known bool) {
	at := n.mtime.seconds
	if c.by == byAccess || (c.by == byNewest && n.atime.seconds > at) {
		at = n.atime.seconds
	}
	if at < 0 {
		return 0, false
	}
	if at > c.nowSeconds {
		return 0, at <= c.clock()
	}
	return c.nowSeconds - at, true
}

// inNanoseconds returns a time as Python's st_mtime_ns has it. A time after 1970 may need all 64 bits without a sign,
// which ext4 and XFS stay below; what is still later or earlier, as tmpfs allows, becomes the last or first that fits.
func (t timestamp) inNanoseconds() (value uint64, negative bool) {
	const perSecond = 1_000_000_000
	switch {
	case t.seconds >= math.MaxUint64/perSecond:
		return math.MaxUint64, false
	case t.seconds >= 0:
		return uint64(t.seconds)*perSecond + uint64(t.nanoseconds), false
	case t.seconds <= math.MinInt64/perSecond:
		return 1 << 63, true
	default:
		return uint64(-(t.seconds*perSecond + int64(t.nanoseconds))), true
	}
}
