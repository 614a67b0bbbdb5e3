package sound

import (
	"bytes"
	endian "encoding/binary"
)

// A codec says how long packets are.
type codec struct {
	kind codecKind
	rate float64 // samples a second, or for pcm bytes; 0 where it is not known

	// Seconds of a packet, for codecs that do not say it packet by packet: at least and at most.
	short, long float64
}

type codecKind uint8

const (
	otherCodec codecKind = iota // the length of its packets is not known
	picturesCodec
	opusCodec
	flacCodec
	mpegCodec
	pcmCodec
	fixedCodec // packets of short to long seconds
)

// packetHead is how much of a packet is looked at.
const packetHead = 16

// packet returns how long a packet is, at least and at most. head is its beginning, size all of it.
func (c *codec) packet(head []byte, size int64) (least, most float64) {
	one := 0.0
	switch c.kind {
	case opusCodec:
		one = opusPacket(head)
	case flacCodec:
		one = flacFrame(head, c.rate)
	case mpegCodec:
		if f, ok := parseFrame(head); ok {
			one = f.seconds
			if !f.free {
				one *= max(float64(size)/float64(f.size), 1)
			}
		}
	case pcmCodec:
		if c.rate > 0 {
			one = float64(size) / c.rate
		}
	case fixedCodec:
		return c.short, c.long
	}
	return one, one
}

// counts reports whether the packets of c bound its length, so that nothing need be said of its bytes.
func (c *codec) counts() bool { return c.kind != otherCodec && c.kind != picturesCodec }

// opusFrames are the milliseconds of a frame, by the configuration in the head of a packet (RFC 6716, 3.1).
var opusFrames = [32]float64{
	10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 40, 60, 10, 20, 10, 20,
	2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20, 2.5, 5, 10, 20,
}

// opusPacket returns how long a packet of Opus is: 120 ms at most.
func opusPacket(b []byte) float64 {
	if len(b) == 0 {
		return 0
	}
	frames := 2.0
	switch b[0] & 3 {
	case 0:
		frames = 1
	case 3:
		frames = 0
		if len(b) > 1 {
			frames = float64(b[1] & 63)
		}
	}
	return min(frames*opusFrames[b[0]>>3], 120) / 1000
}

// codecOf identifies a stream of Ogg by its first packet. ok is false if it is not known.
func codecOf(b []byte) (c codec, ok bool) {
	switch {
	case begins(b, "OpusHead"):
		return codec{kind: opusCodec, rate: 48_000}, true // for any rate of the source (RFC 7845)
	case begins(b, "\x01vorbis") && len(b) >= 16:
		return vorbis(b), true
	case begins(b, "Speex   ") && len(b) >= 40:
		const frame = 0.02
		c := codec{kind: fixedCodec, rate: float64(endian.LittleEndian.Uint32(b[36:])), short: frame, long: frame}
		if len(b) >= 68 { // frames in a packet
			frames := min(max(endian.LittleEndian.Uint32(b[64:]), 1), 50)
			c.short, c.long = frame*float64(frames), frame*float64(frames)
		}
		return c, true
	case begins(b, "\x7fFLAC") && len(b) >= 30:
		return codec{kind: flacCodec, rate: float64(int64(b[27])<<12 | int64(b[28])<<4 | int64(b[29])>>4)}, true
	case begins(b, "\x80theora"), begins(b, "fishead\x00"):
		return codec{kind: picturesCodec}, true
	}
	return codec{}, false
}

// vorbis reads the first packet of Vorbis, which may stand behind something else: it says how long blocks are, short
// and long ones.
func vorbis(b []byte) codec {
	i := bytes.Index(b, []byte("\x01vorbis"))
	if i < 0 || len(b) < i+16 {
		return codec{}
	}
	b = b[i:]
	c := codec{rate: float64(endian.LittleEndian.Uint32(b[12:]))}
	if len(b) >= 29 && c.rate > 0 {
		c.kind = fixedCodec // a packet adds half a block
		c.short, c.long = float64(int(1)<<(b[28]&15))/2/c.rate, float64(int(1)<<(b[28]>>4))/2/c.rate
	}
	return c
}

// A track adds up packets.
type track struct {
	codec
	claim       float64 // seconds that the container says
	least, most float64 // seconds of its packets
	bytes       int64   // of its packets
}

func (t *track) add(head []byte, size int64) {
	least, most := t.packet(head, size)
	t.least += least
	t.most += most
	t.bytes += size
}

// seconds returns what the container says of the track where its packets allow that, else the most that they can be.
func (t *track) seconds() float64 {
	switch {
	case t.kind == picturesCodec:
		return 0
	case !t.counts():
		return max(t.claim, float64(t.bytes)/maxRate)
	case t.claim >= 0.9*t.least-0.2: // the first packets and the last one may count for less
		return max(t.claim, t.least)
	}
	return t.most
}
