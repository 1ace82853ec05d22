package main

import (
	"cmp"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// countingEncoder counts the members of the outermost map.
type countingEncoder struct {
	jsonEncoder
	depth, members int
}

func (e *countingEncoder) beginMap(n int) { e.jsonEncoder.beginMap(n); e.depth++ }
func (e *countingEncoder) endMap()        { e.jsonEncoder.endMap(); e.depth-- }
func (e *countingEncoder) key(name string) {
	if e.depth == 1 {
		e.members++
	}
	e.jsonEncoder.key(name)
}

func TestADocumentHasAsManyMembersAsItsMapSays(t *testing.T) {
	e := &countingEncoder{}
	new(document).encode(e)
	if e.members != documentKeys {
		t.Errorf("documentKeys is %d, and %d are written", documentKeys, e.members)
	}
}

func TestNamesAreWrittenAsPythonWritesThem(t *testing.T) {
	for name, wanted := range map[string]string{
		"plain":            `"plain"`,
		"\"\\/":            `"\"\\/"`,
		"\n\t\x01\x7f":     `"\n\t\u0001\u007f"`,
		"é渡":               `"\u00e9\u6e21"`,
		"\U0001f469":       `"\ud83d\udc69"`,
		"caf\xe9":          `"caf\udce9"`,
		"cut \xe2\x82":     `"cut \udce2\udc82"`,
		"\xed\xa0\x80":     `"\udced\udca0\udc80"`,
		"\xc0\xaf \xff":    `"\udcc0\udcaf \udcff"`,
		"\xf4\x90\x80\x80": `"\udcf4\udc90\udc80\udc80"`,
	} {
		e := &jsonEncoder{}
		e.name(name)
		if string(e.out) != wanted {
			t.Errorf("%q is written as %s, not as %s", name, e.out, wanted)
		}
	}
}

func TestMessagePackUsesTheShortestForm(t *testing.T) {
	for value, wanted := range map[int64]string{
		0: "00", 127: "7f", 128: "cc80", 255: "ccff", 256: "cd0100", 65536: "ce00010000", 1 << 32: "cf0000000100000000",
		-1: "ff", -32: "e0", -33: "d0df", -129: "d1ff7f", -32769: "d2ffff7fff", math.MinInt64: "d38000000000000000",
	} {
		e := &packEncoder{}
		e.integer(value)
		if hex.EncodeToString(e.out) != wanted {
			t.Errorf("%d is written as %x, not as %s", value, e.out, wanted)
		}
	}
}

func TestTimesThatDoNotFitBecomeTheNearest(t *testing.T) {
	for seconds, wanted := range map[int64]uint64{
		0: 5, 1: 1_000_000_005, math.MaxUint64 / 1_000_000_000: math.MaxUint64, math.MaxInt64: math.MaxUint64,
	} {
		if value, negative := (timestamp{seconds, 5}).inNanoseconds(); value != wanted || negative {
			t.Errorf("%d s are %d ns, not %d", seconds, value, wanted)
		}
	}
	for seconds, wanted := range map[int64]int64{-1: -999_999_995, math.MinInt64: math.MinInt64} {
		value, negative := (timestamp{seconds, 5}).inNanoseconds()
		if !negative || -int64(value) != wanted {
			t.Errorf("%d s are -%d ns, not %d", seconds, value, wanted)
		}
	}
}

func TestPathsAreComparedNameByNameAndAParentComesFirst(t *testing.T) {
	root := newDirectory(nil, "", 0, 9)
	a := newDirectory(root, "a", 0, 9)
	deep := newDirectory(newDirectory(a, "z", 0, 9), "y", 0, 9)
	beside := newDirectory(root, "a-b", 0, 9)
	inOrder := []*directory{root, a, deep.parent, deep, beside}
	for i, one := range inOrder {
		for j, other := range inOrder {
			if found := comparePaths(one, other); cmp.Compare(found, 0) != cmp.Compare(i, j) {
				t.Errorf("%q and %q: %d", one.path(""), other.path(""), found)
			}
		}
	}
	if path := deep.path("file"); path != "a/z/y/file" {
		t.Error(path)
	}
}

func TestTheBestAreThoseThatSortingGives(t *testing.T) {
	for limit := range 20 {
		compare := func(a, b *int) int { return cmp.Compare(*b, *a) }
		kept := newBest(limit, func(item *int) int64 { return int64(*item) }, compare)
		var all []int
		for range 200 {
			item := rand.IntN(100)
			all = append(all, item)
			if kept.wants(int64(item)) {
				kept.offer(&item, nil)
			}
		}
		slices.SortFunc(all, func(a, b int) int { return compare(&a, &b) })
		if found := kept.sorted(); !slices.Equal(found, all[:limit]) {
			t.Errorf("%v, not %v", found, all[:limit])
		}
	}
}

func TestALineOfTheMountTableIsRead(t *testing.T) {
	m, ok := parseMount(`36 35 98:0 /mnt1 /mnt\040two rw,noatime master:1 - ext3 /dev/ro\134ot rw,errors=continue`)
	wanted := mount{id: 36, dev: 98 << 8, point: "/mnt two", options: "rw,noatime", kind: "ext3", device: `/dev/ro\ot`}
	if !ok || m != wanted {
		t.Errorf("%+v, not %+v", m, wanted)
	}
	if _, ok := parseMount("36 35 98:0 /"); ok {
		t.Error("a line that is cut is taken")
	}
}

func TestWhatIsShownOnATerminalIsPrintable(t *testing.T) {
	for name, wanted := range map[string]string{
		"Zoë 渡": "Zoë 渡", "a\x1b[31m\n": `a\x1b[31m\x0a`, "\xff": `\xff`, "a\u202eb": `a\u202eb`, "\u009b": `\u009b`,
	} {
		if shown := printable(name); shown != wanted {
			t.Errorf("%q is shown as %s", name, shown)
		}
	}
}
