package quota_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// wrongFigures are an account's own figures, of which one a day is far too high and one too low, and which stand still
// for some time.
type wrongFigures struct {
	limit quota.Neurons

	mu        sync.Mutex // for what follows
	high, low time.Time  // when the next of them is due; zero: it was given
	lowest    int        // which kind of a low one is next
	yesterday quota.Neurons
	stands    time.Time // the figure stands still from here
	moves     time.Time // until here
	last      map[bool][]byte

	right [2]time.Time // the last times that the day's was right, the latest first
	fault time.Time    // the last time that it was not, or none was given
}

// failed is what an answer says that has no figure.
const failed = "internal server error"

// unknown is what the figure need not have, at most: as without a fault, or all that was spent since the figure before
// the last that was right, where one was wrong, late or missing lately. What has jumped counts by the second one.
func (f *wrongFigures) unknown(c *cloud) quota.Neurons {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.fault) > 30*time.Minute {
		return c.unknown()
	}
	since := time.Now().Add(-max(unknown, time.Since(f.right[1])+lag+time.Minute+2*time.Second))
	return c.of(false, since) + c.of(true, since)
}

// newDay says which figures of a day are wrong. Two that follow each other would be taken for right.
func (f *wrongFigures) newDay(rng *rand.Rand, day quota.Day, yesterday quota.Neurons) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := func(minute int) time.Time { return day.Start().Add(time.Duration(minute) * time.Minute) }
	high := 1 + rng.IntN(1350)
	f.high, f.low = at(high), at((high+60+rng.IntN(1200))%1350)
	f.lowest, f.yesterday = rng.IntN(3), yesterday
	from := 60 + rng.IntN(1200)
	f.stands, f.moves = at(from), at(from+10+rng.IntN(50))
	f.last = map[bool][]byte{}
}

func (f *wrongFigures) serve(w http.ResponseWriter, r *http.Request, right http.Handler) {
	query, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(query))
	byModel, now := bytes.Contains(query, []byte(" count ")), time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	due := func(at *time.Time) bool {
		is := !byModel && !at.IsZero() && !now.Before(*at)
		if is {
			*at = time.Time{}
			f.fault = now
		}
		return is
	}
	switch {
	case due(&f.high):
		give(w, f.limit*9_999/10_000)
	case due(&f.low):
		give(w, []quota.Neurons{0, -5 * n, f.yesterday}[f.lowest])
	case now.After(f.stands) && now.Before(f.moves) && f.last[byModel] != nil:
		f.fault = now
		_, _ = w.Write(f.last[byModel])
	default:
		answer := httptest.NewRecorder()
		f.mu.Unlock() // it takes its time
		right.ServeHTTP(answer, r)
		f.mu.Lock()
		if bytes.Contains(answer.Body.Bytes(), []byte(failed)) {
			f.fault = now
		} else if !byModel {
			f.right = [2]time.Time{now, f.right[0]}
		}
		f.last[byModel] = answer.Body.Bytes()
		w.WriteHeader(answer.Code)
		_, _ = w.Write(f.last[byModel])
	}
}

func give(w io.Writer, figure quota.Neurons) {
	_, _ = fmt.Fprintf(w, `{"data":{"viewer":{"accounts":[{"aiInferenceAdaptiveGroups":[{"sum":{"totalNeurons":%f},`+
		`"dimensions":{"modelId":"m"}}]}]}},"errors":null}`, figure.Float())
}
