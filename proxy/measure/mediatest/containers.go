package mediatest

import (
	"bytes"
	endian "encoding/binary"
	"math"
)

// OggPackets is a file of n pages with one packet each. Each page moves the granule on by step.
func OggPackets(serial uint32, head, packet string, n int, step int64) []byte {
	b := OggPage(serial, BeginsStream, 0, head)
	b = append(b, OggPage(serial, 0, 0, "OpusTags")...)
	for i := range int64(n) {
		b = append(b, OggPage(serial, 0, (i+1)*step, packet)...)
	}
	return b
}

// Packets of Opus, 20 and 120 ms long.
const (
	Opus20  = "\x78" + sixty
	Opus120 = "\x5b\x06" + sixty // six frames
	sixty   = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)

// Element is an element of EBML. Its size is unknown if body is nil.
func Element(id string, body []byte) []byte {
	if body == nil {
		return append([]byte(id), "\x01\xff\xff\xff\xff\xff\xff\xff"...)
	}
	size := endian.BigEndian.AppendUint64(nil, uint64(len(body))|1<<56)
	return append(append([]byte(id), size...), body...)
}

// WebM is a file of blocks of 20 ms of a codec, in clusters of a second. As browsers record it, it has neither a
// duration nor sizes of clusters.
type WebM struct {
	Codec    string // "": A_OPUS
	Private  string // of the codec
	Blocks   int
	Packet   string  // "": Opus20
	Duration float64 // in milliseconds; 0: none
	Sizes    bool    // clusters have them
	Stopped  bool    // the time of all blocks is 0
	Groups   bool    // blocks are in groups, with their durations
}

// Bytes are the bytes of the file.
func (w WebM) Bytes() []byte {
	if w.Codec == "" {
		w.Codec = "A_OPUS"
	}
	if w.Packet == "" {
		w.Packet = Opus20
	}
	b := append([]byte("\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01"), Element("\x18\x53\x80\x67", nil)...)
	info := Element("\x2a\xd7\xb1", []byte("\x0f\x42\x40"))
	if w.Duration > 0 {
		info = append(info, Element("\x44\x89", endian.BigEndian.AppendUint64(nil, math.Float64bits(w.Duration)))...)
	}
	b = append(b, Element("\x15\x49\xa9\x66", info)...)
	rate := endian.BigEndian.AppendUint32(nil, math.Float32bits(16_000))
	track := bytes.Join([][]byte{
		Element("\xd7", []byte{1}), Element("\x83", []byte{2}), Element("\x86", []byte(w.Codec)),
		Element("\x63\xa2", []byte(w.Private)), Element("\xe1", Element("\xb5", rate)),
	}, nil)
	b = append(b, Element("\x16\x54\xae\x6b", Element("\xae", track))...)
	const perCluster = 50
	step := 20 // ms
	if w.Stopped {
		step = 0
	}
	for first := 0; first < w.Blocks; first += perCluster {
		cluster := Element("\xe7", endian.BigEndian.AppendUint32(nil, uint32(step*first)))
		for i := range min(perCluster, w.Blocks-first) {
			at := step * i
			block := append([]byte{0x81, byte(at >> 8), byte(at), 0}, w.Packet...)
			if w.Groups {
				group := append(Element("\xa1", block), Element("\x9b", []byte{20})...)
				cluster = append(cluster, Element("\xa0", group)...)
			} else {
				cluster = append(cluster, Element("\xa3", block)...)
			}
		}
		if w.Sizes {
			b = append(b, Element("\x1f\x43\xb6\x75", cluster)...)
		} else {
			b = append(append(b, Element("\x1f\x43\xb6\x75", nil)...), cluster...)
		}
	}
	return b
}

// Box is a box of MP4.
func Box(name string, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	return append(append(endian.BigEndian.AppendUint32(nil, uint32(8+len(all))), name...), all...)
}

// Words is numbers of four bytes.
func Words(numbers ...uint32) (b []byte) {
	for _, n := range numbers {
		b = endian.BigEndian.AppendUint32(b, n)
	}
	return b
}

// MP4 is a file of frames of AAC, of 1,024 samples at 16 kHz and 100 bytes each.
type MP4 struct {
	Frames    int
	Fragments bool   // the index stands in fragments of 50 frames
	Defaults  bool   // fragments have one duration for all of their frames
	Behind    bool   // the index stands behind the sound
	Lie       uint32 // the length that all heads have, in milliseconds; 0: the right one
	LieTable  uint32 // samples of sound that a frame has by the table; 0: the right one
	Codec     string // "": mp4a
}

// Bytes are the bytes of the file.
func (m MP4) Bytes() []byte {
	const rate, samples, size, inFragment = 16_000, 1024, 100, 50
	length := m.Lie
	if length == 0 && !m.Fragments {
		length = uint32(m.Frames * samples * 1000 / rate)
	}
	delta := uint32(samples)
	if m.LieTable > 0 {
		delta = m.LieTable
	}
	if m.Codec == "" {
		m.Codec = "mp4a"
	}
	frames := uint32(m.Frames)
	if m.Fragments {
		frames = 0
	}
	esds := Box("esds", Words(0), []byte("\x03\x80\x80\x80\x1b\x00\x01\x00\x04\x13\x40\x15"), make([]byte, 11),
		[]byte("\x05\x02\x14\x08\x06\x01\x02")) // 16 kHz
	entry := Box(m.Codec, make([]byte, 24), Words(rate<<16), esds)
	table := Box("stbl", Box("stsd", Words(0, 1), entry), Box("stts", Words(0, 1, frames, delta)),
		Box("stsz", Words(0, size, frames)))
	media := Box("mdia", Box("mdhd", Words(0, 0, 0, rate, length*(rate/1000), 0)),
		Box("hdlr", Words(0, 0), []byte("soun"), make([]byte, 13)), Box("minf", table))
	moov := Box("moov", Box("mvhd", Words(0, 0, 0, 1000, length), make([]byte, 80)),
		Box("trak", Box("tkhd", Words(0, 0, 0, 1), make([]byte, 68)), media),
		Box("mvex", Box("trex", Words(0, 1, 1, delta, size, 0))))
	b := Box("ftyp", []byte("M4A \x00\x00\x00\x00"))
	if !m.Fragments {
		sound := Box("mdat", make([]byte, m.Frames*size))
		if m.Behind {
			return append(append(b, sound...), moov...)
		}
		return append(append(b, moov...), sound...)
	}
	b = append(b, moov...)
	for first := 0; first < m.Frames; first += inFragment {
		n := min(inFragment, m.Frames-first)
		run := Words(0, uint32(n))
		if !m.Defaults {
			run = Words(0x301, uint32(n), 0)
			for range n {
				run = append(run, Words(delta, size)...)
			}
		}
		b = append(b, Box("moof", Box("traf", Box("tfhd", Words(0, 1)), Box("trun", run)))...)
		b = append(b, Box("mdat", make([]byte, n*size))...)
	}
	return b
}
