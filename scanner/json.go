package main

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonEncoder writes JSON for people and programs: indented, ASCII only. A byte of a file's name that is not UTF-8
// becomes a lone surrogate, \udc80 to \udcff, as Python's json.dumps(os.fsdecode(name)) writes it.
type jsonEncoder struct {
	outlet
	state []bool // for each open map or list: it has a member
	keyed bool   // a key stands before what comes next
}

const jsonIndent = " "

func (e *jsonEncoder) member() {
	if e.keyed {
		e.keyed = false
		return
	}
	if len(e.state) == 0 {
		return
	}
	last := len(e.state) - 1
	if e.state[last] {
		e.out = append(e.out, ',')
	}
	e.state[last] = true
	e.line()
}

func (e *jsonEncoder) line() {
	e.out = append(e.out, '\n')
	for range e.state {
		e.out = append(e.out, jsonIndent...)
	}
}

func (e *jsonEncoder) begin(bracket byte) {
	e.member()
	e.out = append(e.out, bracket)
	e.state = append(e.state, false)
}

func (e *jsonEncoder) end(bracket byte) {
	last := len(e.state) - 1
	filled := e.state[last]
	e.state = e.state[:last]
	if filled {
		e.line()
	}
	e.out = append(e.out, bracket)
}

func (e *jsonEncoder) beginMap(int)  { e.begin('{') }
func (e *jsonEncoder) endMap()       { e.end('}') }
func (e *jsonEncoder) beginList(int) { e.begin('[') }
func (e *jsonEncoder) endList()      { e.end(']') }

func (e *jsonEncoder) key(name string) {
	e.pass()
	e.member()
	e.quote(name)
	e.out = append(e.out, ": "...)
	e.keyed = true
}

func (e *jsonEncoder) integer(value int64) {
	e.member()
	e.out = strconv.AppendInt(e.out, value, 10)
}

func (e *jsonEncoder) unsigned(value uint64) {
	e.member()
	e.out = strconv.AppendUint(e.out, value, 10)
}

func (e *jsonEncoder) real(value float64) {
	e.member()
	e.out = strconv.AppendFloat(e.out, value, 'f', -1, 64)
}

func (e *jsonEncoder) boolean(value bool) {
	e.member()
	e.out = strconv.AppendBool(e.out, value)
}

func (e *jsonEncoder) null() {
	e.member()
	e.out = append(e.out, "null"...)
}

func (e *jsonEncoder) text(value string) {
	e.member()
	e.quote(value)
}

func (e *jsonEncoder) name(value string) { e.text(value) }

const firstSurrogate = 0xDC00 // of those that stand for bytes

func (e *jsonEncoder) quote(value string) {
	e.out = append(e.out, '"')
	for len(value) > 0 {
		char, length := utf8.DecodeRuneInString(value)
		switch {
		case char == utf8.RuneError && length == 1:
			e.escape(firstSurrogate + rune(value[0]))
		case char == '"' || char == '\\':
			e.out = append(e.out, '\\', byte(char))
		case char >= ' ' && char <= '~':
			e.out = append(e.out, byte(char))
		case char > 0xFFFF:
			high, low := utf16.EncodeRune(char)
			e.escape(high)
			e.escape(low)
		default:
			e.escape(char)
		}
		value = value[length:]
	}
	e.out = append(e.out, '"')
}

func (e *jsonEncoder) escape(unit rune) {
	const digits = "0123456789abcdef"
	switch unit {
	case '\b':
		e.out = append(e.out, `\b`...)
	case '\f':
		e.out = append(e.out, `\f`...)
	case '\n':
		e.out = append(e.out, `\n`...)
	case '\r':
		e.out = append(e.out, `\r`...)
	case '\t':
		e.out = append(e.out, `\t`...)
	default:
		e.out = append(e.out, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
	}
}
