package proxy

import (
	"net/http"
	"testing"
	"time"

	"github.com/neuronward/neuronward/proxy/workersai"
	"github.com/neuronward/neuronward/quota"
)

// The day is upstream's, by the Date of its answers, whatever the machine's clock
// does and whatever one answer says.
func TestDaysByTheDateOfUpstream(t *testing.T) {
	type world struct {
		*guarded
		machine, upstream time.Duration // how far their clocks are off
		header            []string      // of upstream's answers
	}
	for _, c := range []struct {
		name string
		test func(w *world, call func())
		want string // the day in the end; it begins at noon of the first
	}{
		{"the machine's clock jumps ahead", func(w *world, call func()) {
			call()
			w.machine = 30 * time.Hour
			call()
		}, "2000-01-01"},
		{"and back", func(w *world, call func()) {
			call()
			w.machine = -30 * time.Hour
			call()
			time.Sleep(9 * time.Minute)
			call()
		}, "2000-01-01"},
		{"it is hours slow", func(w *world, call func()) {
			w.machine = -6 * time.Hour
			call()
			call()
			time.Sleep(12 * time.Hour)
		}, "2000-01-02"},
		{"two days are skipped", func(w *world, call func()) {
			call()
			w.machine, w.upstream = 48*time.Hour, 48*time.Hour
			call()
			call()
		}, "2000-01-03"},
		{"two days are skipped in silence", func(w *world, _ func()) {
			w.machine, w.upstream = 48*time.Hour, 48*time.Hour
		}, "2000-01-03"},
		{"one answer is of tomorrow", func(w *world, call func()) {
			w.upstream = 13 * time.Hour
			call()
			w.upstream = 0
			call()
			call()
		}, "2000-01-01"},
		{"two answers are of tomorrow", func(w *world, call func()) {
			w.upstream = 13 * time.Hour
			call()
			call()
		}, "2000-01-02"},
		{"a cache keeps answers of tomorrow", func(w *world, call func()) {
			w.upstream, w.header = 13*time.Hour, []string{"Age", "0"}
			call()
			call()
		}, "2000-01-01"},
		{"a gateway's cache", func(w *world, call func()) {
			w.upstream, w.header = 13*time.Hour, []string{"Cf-Aig-Cache-Status", "HIT"}
			call()
			call()
		}, "2000-01-01"},
		{"answers of next year", func(w *world, call func()) {
			w.upstream = 365 * 24 * time.Hour
			call()
			call()
		}, "2000-01-01"},
		{"a date that is none", func(w *world, call func()) {
			w.header = []string{"Date", "tomorrow"}
			call()
			call()
		}, "2000-01-01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				var w world
				noon := func() time.Time { return time.Now().Add(12 * time.Hour) }
				machine := func() time.Time { return noon().Add(w.machine) }
				dated := http.HandlerFunc(func(res http.ResponseWriter, r *http.Request) {
					h := res.Header()
					h.Set("Date", noon().Add(w.upstream).UTC().Format(http.TimeFormat))
					for i := 0; i < len(w.header); i += 2 {
						h.Set(w.header[i], w.header[i+1])
					}
					answerJSON(200, `{"choices":[],"usage":{"neurons":1}}`)(res, r)
				})
				w.guarded = newGuarded(t, quota.Options{Limit: 10_000 * neuron, Now: machine}, workersai.Options{},
					func(c *Config) { c.Transport = inMemory{dated} })
				c.test(&w, func() {
					if res := w.post(chatPath, chat); res.Code != 200 {
						t.Errorf("got %d %s, want 200", res.Code, res.Body)
					}
				})
				if s := w.close(); s.Day.String() != c.want {
					t.Errorf("got the day %v, want %s", s.Day, c.want)
				}
			})
		})
	}
}
