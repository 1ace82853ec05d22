package main

import (
	"encoding/binary"
	"math"
)

// packEncoder writes MessagePack, each value in its shortest form. Source: the MessagePack specification,
// https://github.com/msgpack/msgpack/blob/master/spec.md.
type packEncoder struct {
	outlet
}

func (e *packEncoder) head(fixed byte, fixedMost int, code8, code16, code32 byte, length int) {
	switch {
	case length <= fixedMost:
		e.out = append(e.out, fixed|byte(length))
	case length <= math.MaxUint8 && code8 != 0:
		e.out = append(e.out, code8, byte(length))
	case length <= math.MaxUint16:
		e.out = binary.BigEndian.AppendUint16(append(e.out, code16), uint16(length))
	default:
		e.out = binary.BigEndian.AppendUint32(append(e.out, code32), uint32(length))
	}
}

func (e *packEncoder) beginMap(members int)  { e.head(0x80, 15, 0, 0xde, 0xdf, members) }
func (e *packEncoder) endMap()               {}
func (e *packEncoder) beginList(members int) { e.head(0x90, 15, 0, 0xdc, 0xdd, members) }
func (e *packEncoder) endList()              {}

func (e *packEncoder) key(name string) {
	e.pass()
	e.text(name)
}

func (e *packEncoder) text(value string) {
	e.head(0xa0, 31, 0xd9, 0xda, 0xdb, len(value))
	e.out = append(e.out, value...)
}

func (e *packEncoder) name(value string) {
	e.head(0, -1, 0xc4, 0xc5, 0xc6, len(value))
	e.out = append(e.out, value...)
}

func (e *packEncoder) integer(value int64) {
	switch {
	case value >= 0:
		e.unsigned(uint64(value))
	case value >= -32:
		e.out = append(e.out, byte(value))
	case value >= math.MinInt8:
		e.out = append(e.out, 0xd0, byte(value))
	case value >= math.MinInt16:
		e.out = binary.BigEndian.AppendUint16(append(e.out, 0xd1), uint16(value))
	case value >= math.MinInt32:
		e.out = binary.BigEndian.AppendUint32(append(e.out, 0xd2), uint32(value))
	default:
		e.out = binary.BigEndian.AppendUint64(append(e.out, 0xd3), uint64(value))
	}
}

func (e *packEncoder) unsigned(value uint64) {
	switch {
	case value <= math.MaxInt8:
		e.out = append(e.out, byte(value))
	case value <= math.MaxUint8:
		e.out = append(e.out, 0xcc, byte(value))
	case value <= math.MaxUint16:
		e.out = binary.BigEndian.AppendUint16(append(e.out, 0xcd), uint16(value))
	case value <= math.MaxUint32:
		e.out = binary.BigEndian.AppendUint32(append(e.out, 0xce), uint32(value))
	default:
		e.out = binary.BigEndian.AppendUint64(append(e.out, 0xcf), value)
	}
}

func (e *packEncoder) real(value float64) {
	e.out = binary.BigEndian.AppendUint64(append(e.out, 0xcb), math.Float64bits(value))
}

func (e *packEncoder) boolean(value bool) {
	if value {
		e.out = append(e.out, 0xc3)
	} else {
		e.out = append(e.out, 0xc2)
	}
}

func (e *packEncoder) null() { e.out = append(e.out, 0xc0) }
