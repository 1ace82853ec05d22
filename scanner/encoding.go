package main

import "io"

// An encoder writes a document in one format. Maps and lists say how many members they have before the first one.
type encoder interface {
	beginMap(members int)
	endMap()
	beginList(members int)
	endList()
	key(name string)
	integer(value int64)
	unsigned(value uint64)
	real(value float64)
	boolean(value bool)
	null()
	text(value string)
	name(value string) // of a file: bytes, which may be no UTF-8
}

// An outlet holds what an encoder has written until there is enough of it to be passed on: a long document need not
// be in memory whole. One without a writer keeps everything.
type outlet struct {
	out    []byte
	to     io.Writer
	passed int64
	err    error // the first one; nothing is written after it
}

const outletBytes = 32 << 10

// pass is called between any two members of a map.
func (o *outlet) pass() {
	if o.to != nil && len(o.out) >= outletBytes {
		o.flush()
	}
}

func (o *outlet) flush() {
	if o.err == nil {
		_, o.err = o.to.Write(o.out)
	}
	o.passed += int64(len(o.out))
	o.out = o.out[:0]
}
