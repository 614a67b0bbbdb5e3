package mediatest

import (
	"bytes"
	endian "encoding/binary"
	"math"
)

// Frames is n frames of MPEG audio or AMR: each the same head, filled up to a size.
func Frames(head string, size, n int) []byte {
	return bytes.Repeat(append([]byte(head), make([]byte, size-len(head))...), n)
}

// Heads of frames of MPEG audio.
const (
	MP3At320 = "\xff\xfb\xe0\x64"                // 44.1 kHz, 1,044 bytes and 1,152 samples
	MP3At128 = "\xff\xfb\x90\x64"                // 417 bytes
	MP3At32  = "\xff\xfb\x10\x64"                // 104 bytes
	MP3At8   = "\xff\xe3\x18\xc4"                // 8 kHz, 72 bytes and 576 samples
	MP3Free  = "\xff\xfb\x00\x64"                // of any size
	LayerII  = "\xff\xfd\xa4\x64"                // 48 kHz, 576 bytes and 1,152 samples
	LayerI   = "\xff\xff\xc0\x64"                // 44.1 kHz, 416 bytes and 384 samples
	Second44 = 44_100 / 1152.                    // frames of MP3 at 44.1 kHz in a second
	Second8  = 8000 / 576.                       // of MP3At8
	AMRAt475 = "\x04"                            // 13 bytes and 20 ms
	AMRPause = "\x7c"                            // 1 byte and 20 ms
	ID3v2    = "ID3\x04\x00\x00\x00\x00\x07\x68" // 1,000 bytes follow
)

// ADTS is a frame of AAC of that many bytes: 1,024 samples at 16 kHz.
func ADTS(size int) []byte {
	b := []byte{0xff, 0xf1, 0x60, 0x40 | byte(size>>11), byte(size >> 3), byte(size<<5) | 0x1f, 0xfc}
	return append(b, make([]byte, size-len(b))...)
}

// Xing makes the first frame of an MP3 at 44.1 kHz, stereo, say how many frames there are.
func Xing(b []byte, frames uint32) []byte {
	b = bytes.Clone(b)
	copy(b[36:], "Xing\x00\x00\x00\x01")
	endian.BigEndian.PutUint32(b[44:], frames)
	return b
}

// ID3v1 stands behind the sound.
func ID3v1() []byte { return append([]byte("TAG"), make([]byte, 125)...) }

// APE stands behind the sound, too, here with a picture of that many bytes.
func APE(picture int) []byte {
	b := append([]byte("APETAGEX"), endian.LittleEndian.AppendUint32(nil, 2000)...)
	b = endian.LittleEndian.AppendUint32(b, uint32(picture))
	return append(b, make([]byte, 16+picture)...)
}

// FLAC is a file of n frames of 4,096 samples at 16 kHz, each of that many bytes. samples is what its head says.
func FLAC(samples uint64, n, size int) []byte {
	b := append([]byte("fLaC\x00\x00\x00\x22"), make([]byte, 34)...)
	endian.BigEndian.PutUint64(b[18:], 16_000<<44|15<<36|samples)
	b = append(b, "\x84\x00\x00\x04abcd"...) // one more block, the last
	return append(b, bytes.Repeat(append([]byte(FLACFrame), make([]byte, size-len(FLACFrame))...), n)...)
}

// FLACFrame is the head of a frame of 4,096 samples at 16 kHz, with its checksum.
const FLACFrame = "\xff\xf8\xc5\x08\x00\x6f"

// AIFF is a file of 16-bit samples at 8 kHz. The sizes of its chunks are those of a stream: none.
func AIFF(seconds float64) []byte {
	b := []byte("FORM\x00\x00\x00\x00AIFFCOMM\x00\x00\x00\x12\x00\x01\x00\x00\x00\x00\x00\x10")
	b = endian.BigEndian.AppendUint16(b, 16383+12)
	b = endian.BigEndian.AppendUint64(b, 8000<<51)
	b = append(b, "SSND\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	return append(b, make([]byte, int(math.Round(seconds*16_000)))...)
}

// A WAVFormat is what a WAV file says of its samples.
type WAVFormat struct {
	Magic          string // RIFF, RF64
	Format         uint16
	Sub            uint16 // of an extensible format
	Channels, Bits uint16
	Rate           uint32
	ByteRate       uint32 // 0: what the rest comes to
	Block          uint16
	Data           uint32 // size of the data, as the header has it
}

// WAVOf is a WAV file of a format with any data.
func WAVOf(f WAVFormat, data []byte) []byte {
	if f.ByteRate == 0 {
		f.ByteRate = f.Rate * uint32(f.Channels) * uint32(f.Bits) / 8
	}
	b := append([]byte(f.Magic), "\xff\xff\xff\xffWAVEfmt "...)
	b = endian.LittleEndian.AppendUint32(b, 40)
	for _, v := range []any{
		f.Format, f.Channels, f.Rate, f.ByteRate, f.Block, f.Bits, uint16(22), f.Bits, uint32(0), f.Sub,
	} {
		b, _ = endian.Append(b, endian.LittleEndian, v) // numbers are taken
	}
	b = append(b, "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71data"...)
	return append(endian.LittleEndian.AppendUint32(b, f.Data), data...)
}

// AIFFOf is a file of n times 100 samples.
func AIFFOf(n int) []byte { return AIFF(float64(n) / 80) }
