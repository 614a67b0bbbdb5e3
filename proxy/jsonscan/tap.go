package jsonscan

// Flush gives Tap what was read since it was given something.
func (s *Scanner) Flush() {
	if s.Tap == nil || s.held {
		return
	}
	if piece := s.data[s.tapped-s.base : s.pos]; len(piece) > 0 {
		s.Tap(piece)
		s.tapped = s.Offset()
	}
}

// Hold keeps what is read from here on from Tap until Pass or Drop says whether it is to have it. What is held then has
// its space, too.
func (s *Scanner) Hold() {
	s.Flush()
	s.held = true
}

// Pass gives Tap what was held.
func (s *Scanner) Pass() {
	s.held = false
	s.Repeat(s.tapped, s.Offset())
	s.tapped = s.Offset()
}

// Drop keeps from Tap what was held.
func (s *Scanner) Drop() {
	s.held = false
	s.tapped = s.Offset()
}

// Repeat gives Tap the text between two offsets, whether it had it before or not.
func (s *Scanner) Repeat(from, to int64) {
	if s.Tap == nil {
		return
	}
	for piece := range s.text.Reader(from, to).Pieces() {
		s.Tap(piece)
	}
}
