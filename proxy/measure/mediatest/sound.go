package mediatest

import (
	"bytes"
	endian "encoding/binary"
	"strings"
)

// WAV is a WAV file of 16-bit samples at 8 kHz.
func WAV(seconds float64) []byte {
	n := uint32(seconds * 16_000)
	var b bytes.Buffer
	b.WriteString("RIFF____WAVELIST\x03\x00\x00\x00abc\x00fmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16_000), uint16(2), uint16(16)} {
		_ = endian.Write(&b, endian.LittleEndian, v) // a buffer takes all
	}
	b.WriteString("data")
	_ = endian.Write(&b, endian.LittleEndian, n)
	b.Write(make([]byte, n))
	return b.Bytes()
}

// OggPage is one page with a body of no more than 254 bytes.
func OggPage(serial uint32, flags byte, granule int64, body string) []byte {
	b := append([]byte("OggS\x00"), flags)
	b = endian.LittleEndian.AppendUint64(b, uint64(granule))
	b = endian.LittleEndian.AppendUint32(b, serial)
	b = append(b, make([]byte, 8)...) // number and checksum
	b = append(b, 1, byte(len(body)))
	return append(b, body...)
}

// The flag of the first page of a stream, and first packets: sound at 48, 16, 8 and 16 kHz, and pictures.
const (
	BeginsStream = 2
	OpusHead     = "OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00"
	VorbisHead   = "\x01vorbis\x00\x00\x00\x00\x01\x80\x3e\x00\x00" // 16 kHz
	SpeexHead    = "Speex   1.2                 \x01\x00\x00\x00\x50\x00\x00\x00\x40\x1f\x00\x00"
	OggFLACHead  = "\x7fFLAC\x01\x00\x00\x01fLaC\x00\x00\x00\x22\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00\x03\xe8\x00"
	TheoraHead   = "\x80theora\x03\x02\x01"
)

// Ogg is a stream of 40 pages that ends at a granule.
func Ogg(serial uint32, head string, end int64) []byte {
	b := OggPage(serial, BeginsStream, 0, head)
	for i := range int64(40) {
		granule := end * (i + 1) / 40
		if i%3 == 1 {
			granule = -1 // a packet that goes on in the next page
		}
		b = append(b, OggPage(serial, 0, granule, strings.Repeat("x", 200))...)
	}
	return b
}
