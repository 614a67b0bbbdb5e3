package event

import (
	"bytes"
	"strconv"

	"github.com/neuronward/neuronward/normalize"
)

// A Response is what the failure of a Responses stream repeats of the events before it. The zero value knows nothing
// yet.
type Response struct {
	members []byte // of the response, as upstream first told it
	next    int64  // number of the next event
}

// maxResponse limits how much of a response is repeated, in bytes. It may hold the caller's tools and instructions.
const maxResponse = 16 << 10

// Note remembers what data, which is that of an event that passes, says.
func (r *Response) Note(data []byte) {
	if rest := skipBlanks(behindName(data, `sequence_number"`)); len(rest) > 0 && rest[0] == ':' {
		if n, ok := leadingInteger(skipBlanks(rest[1:])); ok {
			r.next = n + 1
		}
	}
	if r.members == nil && behindName(data, `response"`) != nil {
		r.members = append(make([]byte, 0, 256), responseMembers(data)...)
	}
}

// leadingInteger reads the digits that b begins with.
func leadingInteger(b []byte) (n int64, ok bool) {
	end := 0
	for end < len(b) && '0' <= b[end] && b[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(b[:end]), 10, 64)
	return n, err == nil
}

// responseMembers returns the members of the response in an event, but for status and error, as raw JSON; nil where
// there is none, it has no id, or it is too long to be repeated.
func responseMembers(data []byte) (members []byte) {
	if len(data) > maxResponse {
		return nil
	}
	var response []byte
	eachMember(data, func(name string, value, _ []byte) {
		if name == "response" {
			response = value
		}
	})
	named, output := false, `"output":[]` // clients read it
	ok := eachMember(response, func(name string, _, member []byte) {
		switch name {
		case "status", "error":
			return
		case "id":
			named = true
		case "output":
			output = ""
		}
		members = append(append(members, member...), ',')
	})
	if !ok || !named {
		return nil
	}
	return oneLine(bytes.TrimSuffix(append(members, output...), []byte(",")))
}

// AppendFailed appends the event response.failed for f to dst. id, model and created, in seconds of Unix time, are put
// where no event has shown the response.
func (r *Response) AppendFailed(dst []byte, f *normalize.Failure, id, model string, created int64) []byte {
	members := r.members
	if len(members) == 0 {
		members = append(members, `"id":`...)
		members = appendRaw(members, nil, id)
		members = append(members, `,"object":"response","created_at":`...)
		members = strconv.AppendInt(members, created, 10)
		members = append(members, `,"model":`...)
		members = appendRaw(members, nil, model)
		members = append(members, `,"incomplete_details":null,"output":[],"usage":null`...)
	}
	return f.AppendResponseFailed(dst, members, r.next)
}
