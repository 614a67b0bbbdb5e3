package guard

import (
	"sync"
	"time"
)

// usualSpeed is how many tokens a second a model is taken to generate before a stream of it was seen to its end.
const usualSpeed = 100

// minMeasured is the shortest stream that tells a model's speed: a shorter one may have been generated before its first
// event was sent.
const minMeasured = time.Second

// speeds are how fast models generate, by label, of which there is a bounded number.
type speeds struct {
	mu     sync.Mutex
	models map[string]float64 // tokens a second
}

// observe takes up a stream that went on to its end. A faster one counts at once, a slower one little by little: a slow
// reader slows down the model, too.
func (s *speeds) observe(label string, tokens int64, took time.Duration) {
	if took < minMeasured || tokens <= 0 {
		return
	}
	speed := float64(tokens) / took.Seconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.models == nil {
		s.models = make(map[string]float64)
	}
	if before, ok := s.models[label]; ok {
		speed = max(speed, before+(speed-before)/8)
	}
	s.models[label] = speed
}

// perSecond returns how many tokens a model generates in a second.
func (s *speeds) perSecond(label string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if speed, ok := s.models[label]; ok {
		return int64(speed) + 1
	}
	return usualSpeed
}
