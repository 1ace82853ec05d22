package main

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
