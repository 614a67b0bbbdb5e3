package price

import (
	"math"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
	"github.com/neuronward/neuronward/quota/workload"
)

const (
	// maxModels bounds the models that are remembered, and maxFactor what one absurd figure can do.
	maxModels = 512
	maxFactor = 100

	// A ratio above suspectRatio counts only once there is a second one.
	suspectRatio = 10

	// maxPromptExcess and maxOutputExcess bound what is learned of prompts that have more tokens than were counted, and
	// of answers that are longer than their limit. Nobody can make the calls of others dearer than that.
	maxPromptExcess = 1
	maxOutputExcess = 4

	// smallLimit is the limit by which what answers have beyond a smaller one is divided: it does not grow with the
	// limit where that is tiny.
	smallLimit = 256

	// enoughCalls without a limit show how long the answers of a model are that documents no default.
	enoughCalls = 20
)

// learned is what former calls show of each model, in bounded memory.
type learned struct {
	mu     sync.RWMutex
	models map[string]*lessons
}

// lessons are what former calls of one model show. Each cause of a cost above its estimate is learned by itself, so
// that none makes calls dearer that it does not concern.
type lessons struct {
	price      peak    // what calls cost, divided by what they can cost at most by the table
	suspect    float64 // the largest such ratio above suspectRatio; 0: none
	correction float64 // by Correct; 0: none

	prompt fading // tokens of prompts beyond those counted, divided by those
	output fading // tokens of answers beyond their limit, divided by that or by smallLimit, whatever is more

	byDefault    peak // most tokens of an answer without a limit, where the model documents a default
	undocumented peak // and where it documents none
	calls        int64

	recalled quota.Calibration // of today, by other replicas
	day      quota.Day
}

// factors are the lessons of a model at one time. The zero value is those of a model that was never called.
type factors struct {
	cost                    float64 // of what a call costs beyond its estimate, divided by that
	prompt, output          float64 // as in lessons
	byDefault, undocumented float64
	enough                  bool // calls were seen to believe undocumented
}

// A Told is what Workers AI itself reported of a call, not what was observed; 0: it did not say.
type Told struct {
	Neurons               float64
	Input, Cached, Output int64 // tokens
}

// Learn takes up what a call r of m came to that succeeded and whose estimate was of. The result is to be kept with the
// day, for Recall.
func (e *Estimator) Learn(m Model, r workload.Request, of Estimate, told Told) (c quota.Calibration) {
	now := time.Now()
	l := &e.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(m.Name)
	if s == nil {
		return c
	}
	if ratio, ok := costRatio(m, r, of, told); ok {
		c.Peak = s.learnPrice(ratio, now)
	}
	if m.Task != workload.TextGeneration || len(r.Parts) > 0 {
		return c
	}
	call := request{Request: r}
	counted := call.inputTokens(&m.Row)
	if excess := float64(told.Input)/counted - 1; excess > 0 && r.PromptTokens > 0 && !of.Foreign {
		excess = min(excess, maxPromptExcess)
		s.prompt.raise(excess, now)
		c.Prompt = quota.RatioOf(1 + excess)
	}
	each := math.Ceil(float64(told.Output) / float64(max(r.Answers, 1)))
	switch {
	case told.Output <= 0 || r.OddLimit || r.MayIgnoreLimit:
	case r.MaxTokens > 0:
		limit := float64(r.MaxTokens)
		if excess := (each - limit) / max(limit, smallLimit); excess > 0 {
			excess = min(excess, maxOutputExcess)
			s.output.raise(excess, now)
			c.Output = quota.RatioOf(1 + excess)
		}
	case call.documented(&m.Row):
		if each > float64(m.DefaultOutput) {
			s.byDefault.raise(each, now)
			c.ByDefault = int64(each)
		}
	default:
		s.expireUndocumented(now)
		s.undocumented.raise(each, now)
		s.calls = min(s.calls+1, enoughCalls)
		c.Undocumented, c.UndocumentedCalls = int64(each), s.calls
	}
	return c
}

// costRatio is what a call cost divided by what it can cost at most by the table; no more than what it cost divided by
// what its tokens cost, where those are known: that there were more of them is another cause. ok is false where it
// says nothing of the table.
func costRatio(m Model, r workload.Request, of Estimate, told Told) (ratio float64, ok bool) {
	if told.Neurons <= 0 || of.Bound <= 0 || of.Foreign {
		return 0, false
	}
	ratio = told.Neurons / of.Bound.Float()
	byTokens := m.Known && m.InputPerM+m.OutputPerM > 0
	if byTokens && told.Input > 0 && (told.Output > 0 || m.OutputPerM == 0) {
		return min(ratio, told.Neurons/m.Tokens(told.Input, told.Cached, told.Output).Float()), true
	}
	limited := r.MaxTokens > 0 && !r.OddLimit && !r.MayIgnoreLimit || m.OutputPerM == 0
	return ratio, limited || !byTokens
}

// learnPrice takes up what a call cost, divided by what it costs by the table. The first that is above raises the
// estimates of the model by the same ratio, for 12 to 24 hours; one above suspectRatio only once there is a second one.
func (s *lessons) learnPrice(ratio float64, now time.Time) quota.Ratio {
	if ratio > suspectRatio {
		confirmed := min(s.suspect, ratio)
		s.suspect = max(s.suspect, ratio)
		ratio = confirmed
	}
	if ratio <= 1+roundedUp {
		return 0
	}
	ratio = min(ratio, maxFactor)
	s.price.raise(ratio, now)
	return quota.RatioOf(ratio)
}

// roundedUp is how far above its price by the table a cost may be that was rounded.
const roundedUp = 0.001

// expireUndocumented forgets the calls without a limit that were long ago.
func (s *lessons) expireUndocumented(now time.Time) {
	if s.undocumented.at(now) == 0 {
		s.calls = 0
	}
}

// of returns the lessons of a model, made if need be; nil beyond maxModels.
func (l *learned) of(model string) *lessons {
	s := l.models[model]
	if s != nil || len(l.models) >= maxModels {
		return s
	}
	if l.models == nil {
		l.models = map[string]*lessons{}
	}
	s = &lessons{}
	l.models[model] = s
	return s
}

// factors are what holds of a model now.
func (l *learned) factors(model string) (f factors) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.models[model]
	if s == nil {
		return f
	}
	now := time.Now()
	f = factors{
		cost:   max(1, s.correction, s.price.at(now)) - 1,
		prompt: s.prompt.at(now), output: s.output.at(now),
		byDefault: s.byDefault.at(now), undocumented: s.undocumented.at(now),
	}
	f.enough = s.calls >= enoughCalls && f.undocumented > 0
	return f
}

// correction is what a cost by the table is multiplied by; 1 where none is known.
func (l *learned) correction(model string) float64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if s := l.models[model]; s != nil && s.correction > 0 {
		return s.correction
	}
	return 1
}
