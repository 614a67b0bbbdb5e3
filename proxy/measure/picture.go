package measure

import (
	"bufio"
	endian "encoding/binary"
	"io"
)

// pictureSize reads the size of a PNG, GIF, JPEG or WebP from its header, in pixels, 0 if the header does not have it.
// ok is false for other data.
func pictureSize(r io.Reader) (width, height int64, ok bool) {
	br := bufio.NewReaderSize(r, 512)
	b, _ := br.Peek(30) // a shorter file has no size
	switch {
	case begins(b, "\x89PNG\r\n\x1a\n"):
		if len(b) >= 24 {
			width, height = int64(endian.BigEndian.Uint32(b[16:])), int64(endian.BigEndian.Uint32(b[20:]))
		}
	case begins(b, "GIF87a"), begins(b, "GIF89a"):
		if len(b) >= 10 {
			width, height = int64(endian.LittleEndian.Uint16(b[6:])), int64(endian.LittleEndian.Uint16(b[8:]))
		}
	case begins(b, "\xff\xd8\xff"):
		width, height = jpegSize(br)
	case begins(b, "RIFF") && len(b) >= 12 && string(b[8:12]) == "WEBP":
		if len(b) >= 30 {
			width, height = webpSize(b)
		}
	default:
		return 0, 0, false
	}
	return width, height, true
}

func begins(b []byte, with string) bool { return len(b) >= len(with) && string(b[:len(with)]) == with }

// jpegSize reads segments up to the first one that begins a frame.
func jpegSize(br *bufio.Reader) (width, height int64) {
	_, _ = br.Discard(2) // the marker that was peeked at
	for {
		c, err := br.ReadByte()
		if err != nil || c != 0xff {
			return 0, 0
		}
		for c == 0xff && err == nil { // padding
			c, err = br.ReadByte()
		}
		var b [7]byte
		if _, short := io.ReadFull(br, b[:2]); err != nil || short != nil {
			return 0, 0
		}
		tables := c == 0xc4 || c == 0xc8 || c == 0xcc // not frames
		if c >= 0xc0 && c <= 0xcf && !tables {
			if _, err := io.ReadFull(br, b[2:]); err != nil {
				return 0, 0
			}
			return int64(endian.BigEndian.Uint16(b[5:])), int64(endian.BigEndian.Uint16(b[3:]))
		}
		length := int(endian.BigEndian.Uint16(b[:]))
		if _, err := br.Discard(max(length-2, 0)); err != nil {
			return 0, 0
		}
	}
}

// webpSize reads the first chunk of a WebP file, of which 30 bytes are there.
func webpSize(b []byte) (width, height int64) {
	switch string(b[12:16]) {
	case "VP8 ":
		return int64(endian.LittleEndian.Uint16(b[26:]) & 0x3fff), int64(endian.LittleEndian.Uint16(b[28:]) & 0x3fff)
	case "VP8L":
		v := endian.LittleEndian.Uint32(b[21:])
		return int64(v&0x3fff) + 1, int64(v>>14&0x3fff) + 1
	case "VP8X":
		return 1 + uint24(b[24:]), 1 + uint24(b[27:])
	}
	return 0, 0
}

func uint24(b []byte) int64 { return int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16 }
