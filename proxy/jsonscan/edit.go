package jsonscan

// An Edit puts Text in place of what lies between two offsets of a text, which may be nothing.
type Edit struct {
	From, To int64
	Text     []byte
}

// Edited returns the text between two offsets with edits in it, which lie there, in order and without overlap. It
// shares the memory of the text and of the edits.
func (p Pieces) Edited(from, to int64, edits []Edit) Pieces {
	var edited Pieces
	r := p.Reader(from, to)
	upTo := func(offset int64, keep bool) {
		for offset > from {
			piece := r.next(int(offset - from))
			if from += int64(len(piece)); keep {
				edited = append(edited, piece)
			}
		}
	}
	for _, e := range edits {
		upTo(e.From, true)
		upTo(e.To, false)
		if len(e.Text) > 0 {
			edited = append(edited, e.Text)
		}
	}
	upTo(to, true)
	return edited
}
