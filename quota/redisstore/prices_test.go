package redisstore

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/neuronward/neuronward/quota"
)

// What another program wrote where prices are is not believed, and in nobody's way.
func TestPricesThatCannotBe(t *testing.T) {
	server := serverWith(t)
	s := open(t, server.url(""), rand.Text(), patient)
	c, key := server.client(t), s.prefix+"prices"
	p := quota.DayPrice{Nanodollars: 11_000_000, Since: time.UnixMilli(1_796_000_000_123).UTC()}
	keep := func(what string) {
		t.Helper()
		got, err := s.Prices(t.Context(), day, p)
		if err != nil || len(got) != 1 || got[day] != p {
			t.Errorf("%s: got %v, %v, want %v alone", what, got, err, p)
		}
	}
	c.Set(t.Context(), key, "x", 0)
	keep("a string")
	c.HSet(t.Context(), key, day.String(), "1 2", "x", "1 2", int64(day)+1, "-1 2", int64(day)+2, "1", int64(day), "x")
	keep("other fields and values")
}
