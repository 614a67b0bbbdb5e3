package normalize

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
// The data is the envelope, error first, whatever the protocol: OpenAI's SDKs raise on the key error alone. A
// Responses stream has the keys of its own error event beside it, at the top level.
func (f *Failure) AppendEvent(dst []byte, p Protocol) []byte {
	if p == ProtocolResponses || p == ProtocolAnthropic {
		dst = append(dst, "event: error\n"...)
	}
	dst = append(dst, "data: "...)
	dst = f.appendKeys(dst)
	if p == ProtocolResponses {
		dst = append(dst, `,"code":`...)
		dst = appendString(dst, f.Word())
		dst = append(dst, `,"param":`...)
		dst = appendOrNull(dst, f.Param)
		dst = append(dst, `,"sequence_number":0`...)
	}
	return append(dst, "}\n\n"...)
}
