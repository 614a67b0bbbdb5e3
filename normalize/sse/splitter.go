package sse

import "bytes"

// A Field is what a line of a stream holds.
type Field uint8

// Fields. Of Data and Name, the value matters.
const (
	Unknown Field = iota // not enough of the line has come
	Blank                // the line ends an event
	Data                 // data:
	Name                 // event:
	Other                // another field, such as id:, a comment, or none at all
)

// A Part is a piece of one line.
type Part struct {
	Field Field
	Value []byte // what follows the colon, with the line's end if it has come; of Data and Name alone
}

// A Splitter reads the lines of a stream as its bytes come, in any pieces. Only a line feed, or a carriage return and a
// line feed, end a line. The zero value is ready for use.
type Splitter struct {
	field Field // of the present line
	begin [len("event:")]byte
	seen  int // bytes in begin, which is how the line begins if that came in pieces

	// Of the present event, as offsets in its bytes:
	length     int
	data, name span // of its first data and its last name
	lines      int  // of data
	fields     bool // other than comments
	ended      bool
}

type span struct{ from, to int }

// Next returns the first part of p, which is not empty, and its length. A part ends with its line, or with p.
func (s *Splitter) Next(p []byte) (Part, int) {
	if s.ended {
		*s = Splitter{}
	}
	n := bytes.IndexByte(p, '\n') + 1
	whole := n > 0
	if !whole {
		n = len(p)
	}
	part := Part{Field: s.field, Value: p[:n]}
	if s.field == Unknown {
		part.Value = s.decide(p[:n], whole)
		part.Field = s.field
	}
	s.length += n
	switch part.Field {
	case Data:
		if s.lines == 1 {
			s.data.to = s.length
		}
	case Name:
		s.name.to = s.length
	default:
		part.Value = nil
	}
	if whole {
		s.field, s.seen, s.ended = Unknown, 0, part.Field == Blank
	}
	return part, n
}

// decide reads more of how a line begins, until that says its field, and returns the value's beginning.
func (s *Splitter) decide(line []byte, whole bool) (value []byte) {
	begin, before := line, s.seen
	if before > 0 || len(line) < len(s.begin) {
		s.seen += copy(s.begin[before:], line)
		begin = s.begin[:s.seen]
	}
	switch {
	case bytes.HasPrefix(begin, []byte("data:")):
		value = line[len("data:")-before:]
		s.field, s.fields = Data, true
		if s.lines++; s.lines == 1 {
			s.data.from = s.length + len(line) - len(value)
		}
	case bytes.HasPrefix(begin, []byte("event:")):
		value = line[len("event:")-before:]
		s.field, s.fields = Name, true
		s.name.from = s.length + len(line) - len(value)
	case string(begin) == "\n", string(begin) == "\r\n":
		s.field = Blank
	case string(begin) == "\r":
	default:
		s.fields = s.fields || begin[0] != ':'
		if whole || len(begin) >= len(s.begin) {
			s.field = Other
		}
	}
	return value
}
