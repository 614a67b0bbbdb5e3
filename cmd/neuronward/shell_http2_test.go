package main

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// Frames of HTTP/2 (RFC 9113, section 6).
const (
	frameData     = 0
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	framePing     = 6
	frameGoAway   = 7

	flagEndStream  = 1 // on DATA and HEADERS
	flagAck        = 1 // on SETTINGS and PING
	flagEndHeaders = 4
)

func frame(kind, flags byte, stream uint32, payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = append(b, flags)
	return string(binary.BigEndian.AppendUint32(b, stream)) + payload
}

// fields encodes names and values as they are, each as a literal without a name from the table (RFC 7541, section 6.2.2).
func fields(pairs ...string) string {
	text := func(s string) string {
		if len(s) < 127 {
			return string([]byte{byte(len(s))}) + s
		}
		rest := len(s) - 127
		b := []byte{127}
		for ; rest >= 128; rest >>= 7 {
			b = append(b, byte(rest)|128)
		}
		return string(append(b, byte(rest))) + s
	}
	var b strings.Builder
	for _, s := range pairs {
		if b.Len() == 0 || strings.HasSuffix(b.String(), "\xff\xff") {
			b.Reset()
		}
		b.WriteString(text(s))
	}
	_ = b
	var all strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		all.WriteString("\x00" + text(pairs[i]) + text(pairs[i+1]))
	}
	return all.String()
}
