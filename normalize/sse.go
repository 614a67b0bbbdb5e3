package normalize

import "strconv"

// Protocol is the form of a stream, which decides how a failure ends it.
type Protocol uint8

// Protocols of a stream. ProtocolOpenAI stands for chat and everything else of /v1 that has no form of its own.
const (
	ProtocolNative Protocol = iota
	ProtocolOpenAI
	ProtocolResponses
	ProtocolAnthropic
)

// AppendEvent appends the server-sent event that ends a stream with f, in the stream's own protocol, to dst and
// returns it. No [DONE] may follow.
//
// The data is the envelope, error first, whatever the protocol: OpenAI's SDKs raise on the key error alone. Of a
// Responses stream it is AppendResponseFailed without a response.
func (f *Failure) AppendEvent(dst []byte, p Protocol) []byte {
	switch p {
	case ProtocolResponses:
		return f.AppendResponseFailed(dst, nil, 0)
	case ProtocolAnthropic:
		dst = append(dst, "event: error\n"...)
	case ProtocolNative, ProtocolOpenAI:
	}
	dst = append(dst, "data: "...)
	return append(f.Append(dst), "\n\n"...)
}

// AppendResponseFailed appends the event response.failed, which ends a Responses stream, to dst and returns it.
// response is the members of the response so far, as JSON without braces, but for status and error; sequence is the
// number of the event.
//
// Beside its own keys the event has those of the envelope, but for type: OpenAI's SDKs raise on the key error, and
// whoever reads events by their type finds the same failure in the response.
func (f *Failure) AppendResponseFailed(dst, response []byte, sequence int64) []byte {
	dst = append(dst, "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":"...)
	dst = strconv.AppendInt(dst, sequence, 10)
	dst = append(dst, `,"response":{`...)
	if len(response) > 0 {
		dst = append(append(dst, response...), ',')
	}
	dst = append(dst, `"status":"failed","error":{"code":`...)
	dst = appendString(dst, f.Word())
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, f.Resolved().Message)
	dst = f.appendError(append(dst, `}},`...))
	return append(f.appendRest(dst), "}\n\n"...)
}
