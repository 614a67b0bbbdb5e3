package sound

// What AMR files begin with, of 8 and of 16 kHz.
const (
	amrMagic     = "#!AMR\n"
	amrWideMagic = "#!AMR-WB\n"
)

// Bytes behind the head of a frame, by its type.
var (
	amrSizes     = [16]int64{12, 13, 15, 17, 19, 20, 26, 31, 5, 6, 5, 5}
	amrWideSizes = [16]int64{17, 23, 32, 36, 40, 46, 50, 58, 60, 5}
)

// amr counts frames: each is 20 ms, also of silence, which has no bytes but its head.
func (s *stream) amr() float64 {
	const frame = 0.02
	sizes, magic := &amrSizes, amrMagic
	if begins(s.peek(len(amrWideMagic)), amrWideMagic) {
		sizes, magic = &amrWideSizes, amrWideMagic
	}
	s.skip(int64(len(magic)))
	frames := 0
	for {
		b := s.peek(1)
		if len(b) == 0 {
			return float64(frames) * frame
		}
		frames++
		s.skip(1 + sizes[b[0]>>3&15])
	}
}
