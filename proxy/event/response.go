package event

import (
	"bytes"
	"math"
	"strconv"

	"github.com/neuronward/neuronward/normalize"
)

// A Response is what the failure of a Responses stream repeats of the events before it. The zero value knows nothing
// yet.
type Response struct {
	members []byte // of the response, as upstream first told it
	next    int64  // number of the next event
}

const (
	// maxResponse limits how much of a response is repeated, in bytes: it may hold the caller's tools and instructions.
	// Of a larger one its head is, unless a member of that is larger than maxMember.
	maxResponse = 16 << 10
	maxMember   = 512
)

// Note remembers what data, which is that of an event that passes, says. Of a large event it may be the beginning.
func (r *Response) Note(data []byte) {
	if behindName(data, `response"`) == nil { // nearly every event
		if rest := skipBlanks(behindName(data, `sequence_number"`)); len(rest) > 0 && rest[0] == ':' {
			r.count(skipBlanks(rest[1:]))
		}
		return
	}
	whole := eachMember(data, func(name, value, _ []byte) { // the response may have such names, too
		switch {
		case string(name) == "sequence_number":
			r.count(value)
		case string(name) == "response" && r.members == nil:
			r.members = append(make([]byte, 0, 256), responseMembers(value)...)
		}
	})
	if whole || r.members != nil {
		return
	}
	if rest := skipBlanks(behindName(data, `response"`)); len(rest) > maxResponse {
		r.members = responseMembers(rest[1:]) // behind the colon
	}
}

// count takes the number that value begins with for that of the present event.
func (r *Response) count(value []byte) {
	end := 0
	for end < len(value) && '0' <= value[end] && value[end] <= '9' {
		end++
	}
	if n, err := strconv.ParseInt(string(value[:end]), 10, 64); err == nil && n < math.MaxInt64 {
		r.next = n + 1
	}
}

// responseMembers returns the members of a response that are repeated, as raw JSON: not status and error, and of a
// large one, whose end may be missing, the head alone. It returns nil where the response has no id.
func responseMembers(response []byte) (members []byte) {
	large := len(response) > maxResponse
	named, rest := false, `"output":[]` // clients read it
	if large {
		rest = noResult
	}
	ok := eachMember(response, func(name, _, member []byte) {
		switch string(name) {
		case "status", "error":
			return
		case "id", "object", "created_at", "model":
			if large && len(member) > maxMember {
				return
			}
			named = named || string(name) == "id"
		default:
			if large {
				return
			}
			if string(name) == "output" {
				rest = ""
			}
		}
		members = append(append(members, member...), ',')
	})
	if !ok && !large || !named {
		return nil
	}
	return oneLine(bytes.TrimSuffix(append(members, rest...), []byte(",")))
}

// noResult are the members that clients read of a response without a result.
const noResult = `"incomplete_details":null,"output":[],"usage":null`

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
		members = append(members, ","+noResult...)
	}
	return f.AppendResponseFailed(dst, members, r.next)
}
